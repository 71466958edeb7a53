// SPDX-License-Identifier: MIT

package tests

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"libmonime/monime"
)

func TestGateTellsMistakesFromAbsence(t *testing.T) {
	h := open(t, profile(t, "test/gate", "", ""))
	good := granted()
	reset()
	for _, row := range []struct {
		values    []string
		status    int
		challenge string
		body      string
	}{
		{nil, 401, `Bearer realm="monime"`, "unauthorized"},
		{[]string{"Basic eDp5"}, 401, `Bearer realm="monime"`,
			"unauthorized"},
		{[]string{"Bearer2 " + good}, 401, `Bearer realm="monime"`,
			"unauthorized"},
		{[]string{"Bearer"}, 400,
			`Bearer realm="monime", error="invalid_request"`,
			"invalid_request"},
		{[]string{"bearer " + good + " x"}, 400,
			`Bearer realm="monime", error="invalid_request"`,
			"invalid_request"},
		{[]string{"Bearer " + good, "Bearer " + good}, 400,
			`Bearer realm="monime", error="invalid_request"`,
			"invalid_request"},
		{[]string{"Bearer " + facts.Tokens["live"]}, 401,
			`Bearer realm="monime", error="invalid_token"`,
			"invalid_token"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = row.values
		w := httptest.NewRecorder()
		h.Middleware(page).ServeHTTP(w, r)
		if w.Code != row.status ||
			w.Header().Get("WWW-Authenticate") != row.challenge ||
			w.Header().Get("Content-Type") != "application/json" ||
			w.Body.String() != `{"error":"`+row.body+"\"}\n" {
			t.Errorf("%q: %d %v %s", row.values, w.Code, w.Header(), w.Body)
		}
	}
	if n := len(requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestGateNamesTheVisitorAndHidesTheToken(t *testing.T) {
	h := open(t, profile(t, "test/visitors", "", ""))
	token := granted()
	name, _ := monime.Fingerprint(token)
	for _, forward := range []bool{false, true} {
		for _, source := range []string{"network", "cache"} {
			if forward {
				source = "cache"
			}
			next := http.HandlerFunc(func(_ http.ResponseWriter,
				r *http.Request) {
				v, ok := monime.VisitorOf(r.Context())
				if !ok || v.Fingerprint != name || v.Source != source ||
					v.Environment != "test" ||
					v.Profile != "test/visitors" {
					t.Errorf("%+v", v)
				}
				if (r.Header.Get("Authorization") != "") != forward {
					t.Errorf("forward: %v", forward)
				}
			})
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			(&monime.Gate{Handle: h, Next: next, ForwardToken: forward}).
				ServeHTTP(w, r)
			if w.Code != 200 || r.Header.Get("Authorization") == "" {
				t.Errorf("%d", w.Code)
			}
		}
	}
	if _, ok := monime.VisitorOf(context.Background()); ok {
		t.Error("nobody came, and has a name")
	}
}

func TestGateOfAClosedHandleLetsNobodyIn(t *testing.T) {
	h := open(t, profile(t, "test/shut", "", ""))
	token := granted()
	if answer := gateAnswer(h, token); answer.StatusCode != 200 {
		t.Fatal(answer.StatusCode)
	}
	h.Close()
	if answer := gateAnswer(h, token); answer.StatusCode != 503 ||
		answer.Header.Get("Retry-After") != "1" {
		t.Error(answer.StatusCode)
	}
}
