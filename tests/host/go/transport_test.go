// SPDX-License-Identifier: MIT

package tests

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"libmonime/monime"
)

// trusting knows the sandbox's authority.
func trusting() *http.Transport {
	text, err := os.ReadFile(facts.CAFile)
	must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
}

const allow = `confirm_environment = false;
allow = { methods = ["GET", "POST"]; paths = ["/v1/payouts", "/v1/payouts/*"]; };
`

// client opens a profile with a credential of its own, which can be revoked.
func client(t *testing.T, name string) (*http.Client, string) {
	t.Helper()
	token := granted()
	h := open(t, profile(t, name, allow, token))
	transport, err := h.Transport(trusting())
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: transport}
	t.Cleanup(c.CloseIdleConnections)
	reset()
	return c, token
}

func drain(answer *http.Response) string {
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

func request(method, path, body string, headers ...string) *http.Request {
	r, err := http.NewRequest(method, facts.Origins["monime"]+path,
		strings.NewReader(body))
	must(err)
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}

func TestRequestCarriesTheCredentialAndIsOtherwiseUntouched(t *testing.T) {
	c, token := client(t, "test/carries")
	const body = "{\"amount\": 1}\r\n\x00\xff"
	r := request("POST", "/v1/payouts?a=%2B&b", body,
		"Authorization", "Bearer the-clients-own",
		"authorization", "Bearer another", "X-Other", "kept")
	r.Host = "somewhere.example"
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	drain(answer)
	got := requests()
	if len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	s := got[0]
	latin := ""
	for _, b := range []byte(body) {
		latin += string(rune(b))
	}
	auth := s.header("Authorization")
	if s.Method != "POST" || s.Target != "/v1/payouts?a=%2B&b" ||
		s.Body != latin || len(auth) != 1 || auth[0] != "Bearer "+token ||
		s.header("Monime-Space-Id")[0] != "spc-sandbox" ||
		"https://"+s.header("Host")[0] != facts.Origins["monime"] ||
		s.header("X-Other")[0] != "kept" {
		t.Errorf("%+v", s)
	}
	if r.Header.Get("Authorization") != "Bearer the-clients-own" {
		t.Error("the caller's own request has changed")
	}
}

func TestOtherOriginsGetNothing(t *testing.T) {
	c, _ := client(t, "test/origin")
	for _, origin := range []string{facts.Origins["elsewhere"],
		facts.Origins["mono_sandbox"],
		strings.Replace(facts.Origins["monime"], "https:", "http:", 1),
		strings.Replace(facts.Origins["monime"], "https://", "https://x@", 1),
		facts.Origins["monime"] + "0", "https://api.monime.io"} {
		answer, err := c.Get(origin + "/v1/payouts")
		if err == nil {
			t.Fatalf("%s: %d", origin, answer.StatusCode)
		}
		if !errors.Is(err, monime.ErrPolicy) &&
			!errors.Is(err, monime.ErrInvalid) {
			t.Errorf("%s: %v", origin, err)
		}
	}
	if n := count("raw", "elsewhere") + count("raw", "mono_sandbox") +
		count("raw", "monime"); n != 0 {
		t.Errorf("%d bytes were sent", n)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	c, _ := client(t, "test/redirect")
	for _, to := range []string{"elsewhere", "plain",
		facts.Origins["monime"] + "/v1/payouts/other"} {
		reset()
		fault(object{"redirect": to})
		_, err := c.Get(facts.Origins["monime"] + "/v1/payouts")
		if !errors.Is(err, monime.ErrProto) {
			t.Errorf("%s: %v", to, err)
		}
		if n := len(requests()); n != 1 {
			t.Errorf("%s: %d requests", to, n)
		}
	}
	if n := count("raw", "elsewhere") + count("raw", "plain"); n != 0 {
		t.Errorf("%d bytes were sent", n)
	}
}

func TestWhatTheProfileDoesNotAllowIsNotSent(t *testing.T) {
	c, _ := client(t, "test/allows")
	for _, row := range [][2]string{
		{"GET", "/v1/financial-accounts"},
		{"DELETE", "/v1/payouts/1"},
		{"BREW", "/v1/payouts"},
		// What two readers could take differently is sent nowhere.
		{"GET", "/v1/payouts/../financial-accounts"},
		{"GET", "/v1/payouts/%2e%2e/x"},
		{"GET", "/v1/payouts//x"},
		{"GET", "/v1/payouts;x"},
	} {
		_, err := c.Do(request(row[0], row[1], ""))
		if !errors.Is(err, monime.ErrPolicy) {
			t.Errorf("%s: %v", row, err)
		}
	}
	for _, header := range []string{"X-HTTP-Method-Override",
		"x-http-method", "X-Method-Override", "Monime-Space-Id",
		"monime-space-id", "Monime_Space_Id", "monime_space-id",
		"X_HTTP_METHOD_OVERRIDE"} {
		_, err := c.Do(request("GET", "/v1/payouts", "", header, "DELETE"))
		if !errors.Is(err, monime.ErrInvalid) {
			t.Errorf("%s: %v", header, err)
		}
		r := request("POST", "/v1/payouts", "x")
		r.Trailer = http.Header{header: nil}
		if _, err = c.Do(r); !errors.Is(err, monime.ErrInvalid) {
			t.Errorf("trailer %s: %v", header, err)
		}
	}
	for _, value := range []string{"Authorization", "close, Monime-Space-Id",
		"Upgrade"} {
		_, err := c.Do(request("GET", "/v1/payouts", "", "Connection", value))
		if !errors.Is(err, monime.ErrInvalid) {
			t.Errorf("%s: %v", value, err)
		}
	}
	r := request("POST", "/v1/payouts", "x")
	r.Trailer = http.Header{"authorization": nil}
	if _, err := c.Do(r); !errors.Is(err, monime.ErrInvalid) {
		t.Errorf("trailer: %v", err)
	}
	if n := count("raw", "monime"); n != 0 {
		t.Errorf("%d bytes were sent", n)
	}
}

// net/http sends once more what it takes for a write that may be repeated.
func TestKeptConnectionThatDiesCostsNothingTwice(t *testing.T) {
	token := granted()
	h := open(t, profile(t, "test/dies", strings.Replace(allow, `"POST"]`,
		`"POST", "PUT", "PATCH", "DELETE"]`, 1), token))
	for _, row := range [][3]string{
		{"POST", "x", "X-Idempotency-Key"},
		{"POST", "x", "Idempotency-Key"},
		{"POST", "x", "x-idempotency-key"},
		{"POST", "x", "X-Other"},
		{"POST", "", "X-Idempotency-Key"},
		{"PUT", "x", "Idempotency-Key"},
		{"PATCH", "x", "Idempotency-Key"},
		{"DELETE", "", "Idempotency-Key"},
	} {
		transport, err := h.Transport(trusting())
		must(err)
		c := &http.Client{Transport: transport}
		reset()
		answer, err := c.Get(facts.Origins["monime"] + "/v1/payouts")
		if err != nil {
			t.Fatal(err)
		}
		drain(answer)
		fault(object{"method": row[0], "drop": "status", "times": -1})
		r := request(row[0], "/v1/payouts/1", row[1], row[2], "a-key")
		if row[1] == "" {
			r.Body, r.GetBody = nil, nil
		}
		if _, err = c.Do(r); err == nil {
			t.Errorf("%q: an answer", row)
		}
		if n := len(requests()); n != 2 {
			t.Errorf("%q: sent %d times", row, n-1)
		}
		c.CloseIdleConnections()
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestBodyOfWhatIsRefusedIsClosed(t *testing.T) {
	c, _ := client(t, "test/closes")
	body := &closing{Reader: strings.NewReader("x")}
	r := request("POST", "/v1/other", "")
	r.Body = body
	if _, err := c.Transport.RoundTrip(r); err == nil || !body.closed {
		t.Errorf("%v, closed: %v", err, body.closed)
	}
}

// What is reported counts: the library asks what became of the credential and,
// when the API's token test refuses it as well, sends nothing for a while.
func TestRefusedCredentialIsReportedAndRested(t *testing.T) {
	c, token := client(t, "test/rested")
	control("revoke", object{"token": token}, nil)
	answer, err := c.Get(facts.Origins["monime"] + "/v1/payouts")
	if err != nil {
		t.Fatal(err)
	}
	drain(answer)
	if answer.StatusCode != 401 {
		t.Errorf("status %d", answer.StatusCode)
	}
	_, err = c.Get(facts.Origins["monime"] + "/v1/payouts")
	if !errors.Is(err, monime.ErrDenied) {
		t.Error(err)
	}
	reset()
	_, err = c.Get(facts.Origins["monime"] + "/v1/payouts")
	if !errors.Is(err, monime.ErrDenied) || len(requests()) != 0 {
		t.Errorf("%v, %d requests", err, len(requests()))
	}
}

func TestCertificateIsVerified(t *testing.T) {
	h := open(t, profile(t, "test/verifies", allow, granted()))
	bad := trusting()
	bad.TLSClientConfig.InsecureSkipVerify = true
	own := trusting()
	own.DialTLSContext = func(context.Context, string, string) (net.Conn,
		error) {
		return nil, errors.New("never")
	}
	other := trusting()
	other.TLSClientConfig.ServerName = "elsewhere.example"
	for _, base := range []*http.Transport{bad, own, other} {
		if _, err := h.Transport(base); !errors.Is(err, monime.ErrInvalid) {
			t.Errorf("%v", err)
		}
	}
	// The system's authorities know nothing of the sandbox's.
	transport, err := h.Transport(nil)
	if err != nil {
		t.Fatal(err)
	}
	reset()
	_, err = (&http.Client{Transport: transport}).Get(
		facts.Origins["monime"] + "/v1/payouts")
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || len(requests()) != 0 {
		t.Errorf("%v", err)
	}
	for _, server := range []string{"wrong_name", "self_signed", "expired"} {
		name := "test/" + strings.ReplaceAll(server, "_", "-")
		writeProfile(t, name, "provider = \"monime\";\nbase_url = \""+
			facts.Origins[server]+"\";\n"+allow, granted())
		transport, err = open(t, name).Transport(trusting())
		if err != nil {
			t.Fatal(err)
		}
		c := &http.Client{Transport: transport}
		if _, err = c.Get(facts.Origins[server] + "/v1/payouts"); err == nil {
			t.Errorf("%s: sent", server)
		}
		if n := count("requests", server); n != 0 {
			t.Errorf("%s: %d requests", server, n)
		}
	}
}

func TestContextEndsTheConfirmationOfTheEnvironment(t *testing.T) {
	h := open(t, profile(t, "test/confirms", strings.Replace(allow, "false",
		"true", 1), granted()))
	transport, err := h.Transport(trusting())
	if err != nil {
		t.Fatal(err)
	}
	reset()
	fault(object{"hold": true, "path": "/", "times": -1})
	defer reset()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := transport.RoundTrip(request("GET", "/v1/payouts", "").
			WithContext(ctx))
		done <- err
	}()
	waitFor(t, "held", object{"at_least": 1})
	cancel()
	if err := <-done; !errors.Is(err, monime.ErrCanceled) ||
		!errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestManyAtOnceThroughAProxyOfGoWithoutTheVisitorsToken(t *testing.T) {
	c, token := client(t, "test/proxied")
	gate := open(t, profile(t, "test/gateway-go", "", ""))
	origin, err := url.Parse(facts.Origins["monime"])
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(origin)
	proxy.Transport = c.Transport
	server := httptest.NewServer(gate.Middleware(proxy))
	defer server.Close()
	visitor := granted()
	var all sync.WaitGroup
	for i := 0; i < 50; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			r, _ := http.NewRequest("GET", server.URL+"/v1/payouts", nil)
			r.Header.Set("Authorization", "Bearer "+visitor)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			if text := drain(answer); answer.StatusCode != 200 {
				t.Errorf("%d %s", answer.StatusCode, text)
			}
		}()
	}
	all.Wait()
	proxied := 0
	for _, r := range requests() {
		if r.Target != "/v1/payouts" {
			continue
		}
		proxied++
		if a := r.header("Authorization"); len(a) != 1 ||
			a[0] != "Bearer "+token {
			t.Errorf("%q", a)
		}
	}
	if proxied != 50 {
		t.Errorf("%d requests", proxied)
	}
}
