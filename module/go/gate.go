// SPDX-License-Identifier: MIT

package monime

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A Gate lets requests through to Next whose bearer the profile accepts, and
// answers all others itself: with the same status, WWW-Authenticate and
// Retry-After as the modules for nginx and Apache.
type Gate struct {
	Handle *Handle
	Next   http.Handler
	// ForwardToken leaves the Authorization header in the request that
	// Next gets; without it nobody behind the gate sees the token.
	ForwardToken bool
}

// Middleware is a Gate before a handler.
func (h *Handle) Middleware(next http.Handler) http.Handler {
	return &Gate{Handle: h, Next: next}
}

// A Visitor is whom a Gate let through.
type Visitor struct {
	Verdict
	Fingerprint string // Fingerprint of the token
}

type visitorKey struct{}

// VisitorOf tells whom a Gate let through, of the context of a request.
func VisitorOf(ctx context.Context) (Visitor, bool) {
	v, ok := ctx.Value(visitorKey{}).(Visitor)
	return v, ok
}

// What a refusal is called, by RFC 6750 3.1.
var challenges = map[Code]string{
	ErrDenied:      "invalid_token",
	ErrEnvironment: "invalid_token",
	ErrForbidden:   "insufficient_scope",
}

// What a body says where there is no such word.
var words = map[int]string{
	http.StatusUnauthorized:       "unauthorized",
	http.StatusForbidden:          "forbidden",
	http.StatusServiceUnavailable: "temporarily_unavailable",
}

func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	presented := r.Header["Authorization"]
	token := ""
	if len(presented) == 1 {
		token = Bearer(presented[0])
	}
	verdict, err := g.Handle.CheckToken(r.Context(), token)
	if err == nil {
		var name string
		if name, err = Fingerprint(token); err == nil {
			g.admit(w, r, Visitor{verdict, name})
			return
		}
	}
	if token == "" {
		refuseNobody(w, presented, err)
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		e = failed(ErrSystem, "")
	}
	refuse(w, HTTPStatus(e), challenges[e.Code], retryAfter(e))
}

func (g *Gate) admit(w http.ResponseWriter, r *http.Request, v Visitor) {
	r = r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
	if !g.ForwardToken {
		r.Header = r.Header.Clone()
		r.Header.Del("Authorization")
	}
	g.Next.ServeHTTP(w, r)
}

// Who presents nothing is not told of a mistake, unless it was meant to be a
// token.
func refuseNobody(w http.ResponseWriter, presented []string, err error) {
	if len(presented) > 1 || (len(presented) == 1 && malformed(presented[0])) {
		refuse(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	refuse(w, HTTPStatus(err), "", "1")
}

// The scheme, and no token behind it.
func malformed(value string) bool {
	const scheme = "Bearer"
	n := len(scheme)
	return len(value) >= n && strings.EqualFold(value[:n], scheme) &&
		(len(value) == n || value[n] == ' ' || value[n] == '\t')
}

func retryAfter(e *Error) string {
	if e.Answer != nil && e.Answer.Facts["retry-after"] != "" {
		return e.Answer.Facts["retry-after"]
	}
	return "1"
}

func refuse(w http.ResponseWriter, status int, challenge, after string) {
	header := w.Header()
	word := challenge
	if status < http.StatusBadRequest {
		status = http.StatusInternalServerError
	}
	if word == "" {
		word = words[status]
	}
	if word == "" {
		word = "server_error"
	}
	if challenge != "" {
		header.Set("WWW-Authenticate",
			`Bearer realm="monime", error="`+challenge+`"`)
	} else if status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="monime"`)
	}
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", after)
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, "{\"error\":\"%s\"}\n", word)
}
