// SPDX-License-Identifier: MIT

// Package monime is libmonime for Go: verdicts on the access tokens that
// others present, and authenticated calls to the Monime and Mono APIs.
//
//	m, err := monime.Open("test/payouts", nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer m.Close()
//
//	http.Handle("/", m.Middleware(app))
//	answer, err := m.Request(ctx, "GET", "/v1/financial-accounts", nil, nil)
//
// It is thin: what a profile is, what is asked and what a result means is told
// in monime(3) and monime.conf(5), and decided in the library.  What is Go's:
//
//   - Goroutines.  A call that waits parks its goroutine, and no thread; the
//     library's one descriptor is watched by the runtime's own poller.  A
//     verdict that is remembered does not go that way: it is looked up where
//     it is asked for, without a lock that others could hold for long.
//     CheckCredential alone holds a thread.
//   - Contexts.  One that ends cancels its call at once.  The error is then
//     ErrCanceled and the context's own.  What had been sent may have been
//     executed.
//   - Errors.  Each is an *Error; errors.Is knows its Code.
//   - Log lines.  They wait until a goroutine comes back from C, which takes
//     them to Options.Log.  C never calls Go.
//   - Secrets.  Tokens that are checked are read where they lie, and texts
//     that are copied for C are wiped.  Go's own strings cannot be, nor what
//     net/http makes of a header.
//
// Root opens profiles: a server that gives root up opens them before.
package monime
