// SPDX-License-Identifier: MIT

package tests

import (
	"context"
	"encoding/json"
	"errors"
	"log/syslog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"libmonime/monime"
)

// tests/host/behaviours.py
type behaviour struct {
	Name     string
	Token    string
	Faults   []any
	Settings object
	Result   string
	Asked    int
	After    *string
	Log      *string
	Profile  string
}

type table struct {
	Behaviours []behaviour
	Web        map[string]struct {
		Status int
		Error  *string
		Retry  bool
	}
	Profiles map[string]string
}

func behaviours(t *testing.T) (b table) {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", "-B",
		filepath.Join(tree, "tests/host/go/table.py"), facts.File, "2").
		Output()
	if err == nil {
		err = json.Unmarshal(out, &b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// script has the API behave, and makes the token.
func (b *behaviour) script() string {
	reset()
	token, named := facts.Tokens[b.Token]
	switch {
	case b.Token == "good":
		token = granted()
	case b.Token == "unknown":
		token = unknown()
	case !named:
		token = b.Token
	}
	control("close", object{"server": nil}, nil)
	control("settings", b.Settings, nil)
	if len(b.Faults) > 0 {
		fault(b.Faults...)
	}
	return token
}

// resultOf is a result's word in counters.
func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	for name, code := range codes {
		if errors.Is(err, code) {
			return strings.ToLower(name)
		}
	}
	return err.Error()
}

// What a handle logged.
type journal struct {
	sync.Mutex
	lines []string
}

func (j *journal) add(_ syslog.Priority, line string) {
	j.Lock()
	defer j.Unlock()
	j.lines = append(j.lines, line)
}

// news waits until there are so many lines, and forgets them.
func (j *journal) news(t *testing.T, n int) []string {
	t.Helper()
	settle(t, "lines that are missing", func() int {
		j.Lock()
		defer j.Unlock()
		return n - len(j.lines)
	}, 0)
	j.Lock()
	defer j.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

func TestEveryBehaviourHasItsCodeStatusHeadersAndLine(t *testing.T) {
	b := behaviours(t)
	if len(b.Behaviours) < 20 {
		t.Fatalf("%d behaviours", len(b.Behaviours))
	}
	handles := make(map[string]*monime.Handle)
	var log journal
	for name, text := range b.Profiles {
		writeProfile(t, name, text, "")
		handles[name] = openWith(t, name, monime.Options{Log: log.add})
	}
	for i := range b.Behaviours {
		row := &b.Behaviours[i]
		h := handles[row.Profile]
		t.Run(row.Name, func(t *testing.T) {
			lines := 0
			if row.Log != nil {
				lines = 1
			}
			token := row.script()
			_, err := h.CheckToken(context.Background(), token)
			row.judge(t, err, token, log.news(t, lines))
			token = row.script()
			row.judgeWeb(t, &b, gateAnswer(h, token))
			log.news(t, lines)
		})
	}
	if n := count("bytes", "elsewhere"); n != 0 {
		t.Errorf("somebody else got %d bytes", n)
	}
}

func (b *behaviour) judge(t *testing.T, err error, token string, log []string) {
	if got := resultOf(err); got != b.Result {
		t.Errorf("%s, not %s: %v", got, b.Result, err)
	}
	if n := len(requests()); n != b.Asked {
		t.Errorf("the API was asked %d times, not %d", n, b.Asked)
	}
	var e *monime.Error
	if b.After != nil && (!errors.As(err, &e) ||
		e.RetryAfter.String() != *b.After+"s") {
		t.Errorf("come back after %v, not %s s", e.RetryAfter, *b.After)
	}
	if err != nil && strings.Contains(err.Error(), token) {
		t.Errorf("the token is in the error")
	}
	if b.Log == nil {
		if len(log) != 0 {
			t.Errorf("logged %q", log)
		}
		return
	}
	if len(log) != 1 || !regexp.MustCompile(*b.Log).MatchString(log[0]) ||
		strings.Contains(log[0], token) {
		t.Errorf("logged %q, not %q", log, *b.Log)
	}
}

// gateAnswer is what a bearer gets.
func gateAnswer(h *monime.Handle, token string) *http.Response {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.Middleware(page).ServeHTTP(w, r)
	return w.Result()
}

var page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Write([]byte("a page"))
})

func (b *behaviour) judgeWeb(t *testing.T, all *table, answer *http.Response) {
	web := all.Web[b.Result]
	if answer.StatusCode != web.Status {
		t.Errorf("status %d, not %d", answer.StatusCode, web.Status)
	}
	challenge := ""
	if web.Error != nil {
		challenge = `Bearer realm="monime", error="` + *web.Error + `"`
	}
	if got := answer.Header.Get("WWW-Authenticate"); got != challenge {
		t.Errorf("the challenge is %q, not %q", got, challenge)
	}
	after := answer.Header.Get("Retry-After")
	switch {
	case b.After != nil && after != *b.After,
		b.After == nil && web.Retry && after != "1",
		!web.Retry && after != "":
		t.Errorf("Retry-After is %q", after)
	}
	body := make([]byte, 6)
	answer.Body.Read(body)
	if (string(body) == "a page") != (web.Status == 200) {
		t.Errorf("the page is %q", body)
	}
}

func TestDeadlineOfTheContextComesBeforeThatOfTheProfile(t *testing.T) {
	h := open(t, profile(t, "test/slow", `check = { timeout = "60 s"; };`, ""))
	token := granted()
	reset()
	fault(object{"hold": true, "times": -1})
	defer reset()
	ctx, cancel := context.WithTimeout(context.Background(),
		50*time.Millisecond)
	defer cancel()
	_, err := h.CheckToken(ctx, token)
	if !errors.Is(err, context.DeadlineExceeded) ||
		!errors.Is(err, monime.ErrCanceled) {
		t.Errorf("%v", err)
	}
	// Whoever waits still gets the verdict that the other one began.
	done := make(chan error)
	go func() {
		_, err := h.CheckToken(context.Background(), token)
		done <- err
	}()
	waitFor(t, "held", object{"at_least": 1})
	reset()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err = h.CheckToken(ctx, token); err != nil {
		t.Errorf("remembered, and the context has ended: %v", err)
	}
}
