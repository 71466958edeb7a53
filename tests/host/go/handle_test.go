// SPDX-License-Identifier: MIT

package tests

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/syslog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"libmonime/monime"
	"libmonime/tests/heap"
)

func TestOpenTellsWhatIsWrongAndHowToMendIt(t *testing.T) {
	path := filepath.Join(etc, profile(t, "test/loose", "", "mon_test_canary")) +
		".token"
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		profile, folder string
		code            monime.Code
		text            string
	}{
		{"test/loose", etc, monime.ErrUnsafe, "chmod 0600 " + path},
		{"test/absent", etc, monime.ErrConfig, "absent"},
		{"test/../live/payouts", etc, monime.ErrInvalid, ""},
		{"test/payouts\x00", etc, monime.ErrInvalid, "NUL"},
		{"test/payouts", etc + "\x00/elsewhere", monime.ErrInvalid, "NUL"},
		{"test/payouts", "etc", monime.ErrInvalid, ""},
	} {
		h, err := monime.Open(c.profile, &monime.Options{Folder: c.folder})
		if h != nil || !errors.Is(err, c.code) ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: %v", c.profile, err)
		}
	}
}

func TestHandleTellsItsFacts(t *testing.T) {
	h := open(t, "test/payouts")
	for name, value := range map[string]string{"profile": "test/payouts",
		"provider": "monime", "product": "", "environment": "test",
		"origin": facts.Origins["monime"], "space": "spc-sandbox",
		"token": "", "space\x00": ""} {
		if got := h.Get(name); got != value {
			t.Errorf("%q is %q", name, got)
		}
	}
	page, err := monime.Metrics("openmetrics", h, h)
	if err != nil || !strings.HasSuffix(page, "# EOF\n") ||
		strings.Count(page, "monime_profile_info{") != 1 {
		t.Errorf("metrics: %v: %s", err, page)
	}
	if _, err = monime.Metrics("xml", h); !errors.Is(err, monime.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestClosedHandleRefusesEverything(t *testing.T) {
	h := open(t, "test/payouts")
	transport, err := h.Transport(trusting())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	reset()
	_, e1 := h.CheckToken(ctx, facts.Tokens["test"])
	_, e2 := h.CheckCredential(ctx)
	_, e3 := h.Request(ctx, "GET", "/v1/payouts", nil, nil)
	_, e4 := (&http.Client{Transport: transport}).Get(
		facts.Origins["monime"] + "/v1/payouts")
	_, e5 := monime.Metrics("html", h)
	for i, err := range []error{e1, e2, e3, e4, e5,
		h.VerifyWebhook("t=1,v1=a", nil), h.Close()} {
		if !errors.Is(err, monime.ErrCanceled) {
			t.Errorf("%d: %v", i+1, err)
		}
	}
	if h.Get("profile") != "" || len(requests()) != 0 {
		t.Error("it still answers")
	}
}

func TestRequestTellsStatusHeadersBodyAndFacts(t *testing.T) {
	h := open(t, "test/payouts")
	ctx := context.Background()
	reset()
	a, err := h.Request(ctx, "GET", "/v1/financial-accounts?limit=1",
		http.Header{"X-Request-Id": {"go-1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := requests()
	r = r[len(r)-1:]
	if a.Status != 200 || !strings.Contains(string(a.Body), `"result"`) ||
		a.Header.Get("Content-Type") != "application/json" ||
		a.Facts["source"] != "network" || a.Facts["executed"] != "yes" ||
		r[0].header("X-Request-Id")[0] != "go-1" {
		t.Errorf("%+v, %+v", a, r)
	}
	key, err := monime.NewKey()
	if err != nil || !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(key) {
		t.Errorf("key %q: %v", key, err)
	}
	body := []byte(`{"amount":{"currency":"SLE","value":100}}`)
	_, err = h.Request(ctx, "POST", "/v1/payouts",
		http.Header{"Idempotency-Key": {key}}, body)
	if err != nil {
		t.Fatal(err)
	}
	r = requests()
	r = r[len(r)-1:]
	if r[0].Body != string(body) || r[0].header("Idempotency-Key")[0] != key {
		t.Errorf("%+v", r)
	}
}

func TestErrorTellsStatusReasonIdAndRetryAfter(t *testing.T) {
	h := open(t, profile(t, "test/once", "retry = { attempts = 1; };",
		facts.Tokens["test"]))
	reset()
	fault(object{"path": "/v1/", "status": 429, "headers": [][]string{
		{"Retry-After", "7"}, {"Monime-Request-Id", "req-canary-7"}}})
	_, err := h.Request(context.Background(), "GET", "/v1/payouts", nil, nil)
	var e *monime.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if !errors.Is(err, monime.ErrLimit) || errors.Is(err, monime.ErrDenied) ||
		e.Code != monime.ErrLimit || e.Status != 429 ||
		e.RetryAfter != 7*time.Second || e.Reason == "" ||
		e.Answer.Facts["executed"] != "no" || len(e.Answer.Body) == 0 ||
		!strings.Contains(e.Error(), "429") {
		t.Errorf("%+v", e)
	}
	reset()
	_, err = h.Request(context.Background(), "GET", "/v1/payouts/nobody's",
		nil, nil)
	if !errors.As(err, &e) || e.Status != 404 || e.RequestID == "" {
		t.Errorf("%+v", err)
	}
	for _, bad := range []http.Header{{"Authorization": {"Bearer x"}},
		{"X-Request-Id": {"a", "b"}}, {"X-Request-Id": {"a\r\nb: c"}},
		{"X-Request-Id": {"a\x00b"}}} {
		_, err = h.Request(context.Background(), "GET", "/v1/payouts", bad,
			nil)
		if !errors.Is(err, monime.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCredentialIsAskedAboutAndGivenUp(t *testing.T) {
	h := open(t, "test/payouts")
	reset()
	a, err := h.CheckCredential(context.Background())
	if err != nil || a.Facts["environment"] != "test" ||
		len(a.Facts["fingerprint"]) != 32 {
		t.Errorf("%+v: %v", a, err)
	}
	fault(object{"hold": true})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := h.CheckCredential(ctx)
		done <- err
	}()
	waitFor(t, "held", object{"at_least": 1})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Another one waits for its turn, which has not come yet.
	if _, err = h.CheckCredential(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	reset()
}

func TestWebhookIsVerified(t *testing.T) {
	h := open(t, "test/payouts")
	err := h.VerifyWebhook("t=1,v1=abc", []byte("{}"))
	if !errors.Is(err, monime.ErrConfig) {
		t.Error(err)
	}
	h = open(t, profile(t, "test/hook",
		`webhook = { secrets = ["canary-0123456789abcdef"]; };`, ""))
	err = h.VerifyWebhook("t=1,v1=abc", nil)
	if !errors.Is(err, monime.ErrDenied) {
		t.Error(err)
	}
	// Monime: HMAC-SHA-256 over the time, "_" and the body, in base64.
	body, now := []byte("{\"event\":1}"), fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte("canary-0123456789abcdef"))
	fmt.Fprintf(mac, "%s_%s", now, body)
	signature := "t=" + now + ",v1=" +
		base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if err = h.VerifyWebhook(signature, body); err != nil {
		t.Error(err)
	}
}

func TestTokenHasANameAndIsFoundInItsHeader(t *testing.T) {
	// monime.h: SHA-256 over "monime-fingerprint-1", a NUL and the token.
	name, err := monime.Fingerprint("mon_test_x")
	if err != nil || name != "5fe3a6fdbf99fe26a6595448bd2815ff" {
		t.Errorf("%q: %v", name, err)
	}
	if _, err = monime.Fingerprint(""); !errors.Is(err, monime.ErrInvalid) {
		t.Error(err)
	}
	for header, token := range map[string]string{"Bearer abc": "abc",
		"bearer  abc ": "abc", "Basic abc": "", "": "", "Bearer": "",
		"Bearer a b": "", "Bearer a\x00b": ""} {
		if got := monime.Bearer(header); got != token {
			t.Errorf("%q: %q", header, got)
		}
	}
}

func TestLogFunctionMayUseTheHandleAndGetsNoToken(t *testing.T) {
	var h *monime.Handle
	var log journal
	asked := false
	h = openWith(t, profile(t, "test/logged", "", ""), monime.Options{
		LogLevel: syslog.LOG_DEBUG,
		Log: func(level syslog.Priority, line string) {
			log.add(level, line)
			if level > syslog.LOG_DEBUG || asked {
				return
			}
			// Even to wait for it.
			asked = true
			_, err := h.CheckToken(context.Background(), unknown())
			if !errors.Is(err, monime.ErrDenied) {
				t.Error(err)
			}
		}})
	reset()
	h.CheckToken(context.Background(), granted())
	h.CheckToken(context.Background(), unknown())
	for _, line := range log.news(t, 3) {
		if strings.Contains(line, "canary") {
			t.Errorf("%q", line)
		}
	}
}

func TestLogTellsHowManyLinesWereLost(t *testing.T) {
	var log journal
	var h *monime.Handle
	inside := false
	h = openWith(t, profile(t, "test/flood", "", ""), monime.Options{
		LogLevel: syslog.LOG_DEBUG,
		Log: func(level syslog.Priority, line string) {
			log.add(level, line)
			if inside {
				return
			}
			// Nobody fetches meanwhile: this is whoever would.
			inside = true
			for i := 0; i < 300; i++ {
				h.CheckToken(context.Background(), "no token of theirs")
			}
		}})
	h.CheckToken(context.Background(), "no token of theirs")
	lines := log.news(t, 258)
	if len(lines) != 258 || lines[257] != "44 lines of the log were lost" {
		t.Errorf("%d lines; the last: %s", len(lines), lines[len(lines)-1])
	}
}

func status(field string) int {
	text, err := os.ReadFile("/proc/self/status")
	must(err)
	m := regexp.MustCompile(field + `:\s+(\d+)`).FindSubmatch(text)
	n, err := strconv.Atoi(string(m[1]))
	must(err)
	return n
}

func descriptors() int {
	names, err := os.ReadDir("/proc/self/fd")
	must(err)
	return len(names)
}

// settle waits until a number is what it was.
func settle(t *testing.T, what string, number func() int, most int) {
	t.Helper()
	for end := time.Now().Add(patience); number() > most; {
		if time.Now().After(end) {
			t.Fatalf("%s: %d, not %d", what, number(), most)
		}
		runtime.Gosched()
	}
}

const crowd = 1000

// Half of them give up while the API keeps all of them waiting.
func rush(t *testing.T, h *monime.Handle, tokens []string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fault(object{"hold": true, "times": -1})
	gone := make(chan error, crowd)
	stayed := make(chan error, crowd)
	for i := 0; i < crowd; i++ {
		go func(i int) {
			mine, out := ctx, gone
			if i%4 < 2 {
				mine, out = context.Background(), stayed
			}
			var err error
			if i%2 == 0 {
				_, err = h.CheckToken(mine, tokens[i/4])
			} else {
				_, err = h.Request(mine, "GET",
					"/v1/financial-accounts?limit=1", nil, nil)
			}
			out <- err
		}(i)
	}
	waitFor(t, "held", object{"at_least": 8})
	if n := status("Threads"); n > 40 {
		t.Errorf("%d threads for %d calls", n, crowd)
	}
	cancel()
	for i := 0; i < crowd/2; i++ {
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	}
	if len(stayed) != 0 {
		t.Errorf("%d of the others came as well", len(stayed))
	}
	reset()
	for i := 0; i < crowd/2; i++ {
		if err := <-stayed; err != nil {
			t.Errorf("stayed: %v", err)
		}
	}
}

func TestThousandGoroutinesHalfOfThemCanceledLeaveNothingBehind(t *testing.T) {
	tokens := make([]string, crowd/4)
	for i := range tokens {
		tokens[i] = granted()
	}
	reset()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	name := profile(t, "test/crowd", `timeout = "60 s"; connections = 8; check = {
		ttl = "0 s"; timeout = "60 s"; probes = 512; probe_rate = 10000; };`,
		facts.Tokens["test"])
	h := open(t, name)
	var kept int
	const rounds = 6
	for i := 0; i < rounds; i++ {
		rush(t, h, tokens)
		settle(t, "goroutines", runtime.NumGoroutine, goroutines+1)
		if i == 1 {
			kept = heap.InUse()
		}
	}
	// 4 000 calls, each of which would be 2 KiB; connections come and go.
	grown := heap.InUse() - kept
	t.Logf("C's memory after %d rounds: %d bytes more", rounds-2, grown)
	if grown > 1<<20 {
		t.Errorf("%d bytes of C's are kept", grown)
	}
	h.Close()
	settle(t, "goroutines", runtime.NumGoroutine, goroutines)
	settle(t, "descriptors", descriptors, files)
}

func TestCloseEndsWhateverIsPending(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), descriptors()
	h := open(t, "test/payouts")
	reset()
	fault(object{"hold": true, "times": -1})
	defer reset()
	errs := make(chan error, 100)
	for i := 0; i < cap(errs); i++ {
		go func() {
			_, err := h.Request(context.Background(), "GET",
				"/v1/payouts", nil, nil)
			errs <- err
		}()
	}
	waitFor(t, "held", object{"at_least": 10})
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	for i := 0; i < cap(errs); i++ {
		if err := <-errs; !errors.Is(err, monime.ErrCanceled) {
			t.Error(err)
		}
	}
	settle(t, "goroutines", runtime.NumGoroutine, goroutines)
	settle(t, "descriptors", descriptors, files)
}

func TestEverythingAtOnceWhileTheHandleIsClosed(t *testing.T) {
	for round := 0; round < 20; round++ {
		var log journal
		h := openWith(t, "test/payouts", monime.Options{Log: log.add,
			LogLevel: syslog.LOG_DEBUG})
		var all sync.WaitGroup
		for i := 0; i < 16; i++ {
			all.Add(1)
			go func(i int) {
				defer all.Done()
				ctx, cancel := context.WithTimeout(context.Background(),
					time.Duration(i)*time.Millisecond)
				defer cancel()
				h.CheckToken(ctx, facts.Tokens["test"])
				h.Request(ctx, "GET", "/v1/payouts", nil, nil)
				monime.Metrics("openmetrics", h)
				h.Get("origin")
				if i == round%16 {
					h.Close()
				}
			}(i)
		}
		all.Wait()
	}
}

func TestRememberedVerdictAllocatesNothing(t *testing.T) {
	h := open(t, profile(t, "test/remembered", "", ""))
	token, ctx := granted(), context.Background()
	reset()
	if _, err := h.CheckToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(1000, func() {
		v, err := h.CheckToken(ctx, token)
		if err != nil || v.Source != "cache" || v.Environment != "test" ||
			v.Profile != "test/remembered" {
			t.Errorf("%+v, %v", v, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(requests()) != 2 {
		t.Errorf("%d requests", len(requests()))
	}
	// It goes on while the loop is somebody else's for a while.
	_, err := h.CheckToken(ctx, unknown())
	if !errors.Is(err, monime.ErrDenied) {
		t.Error(err)
	}
}
