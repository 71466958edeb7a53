// SPDX-License-Identifier: MIT

package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libmonime/monime"
)

// Everything that is not meant to be slow.
const patience = 20 * time.Second

// The sandbox of all tests: tests/sandbox/sandbox.py.
var (
	tree  string
	facts struct {
		File    string
		CAFile  string `json:"ca_file"`
		Ports   map[string]int
		Origins map[string]string
		Tokens  map[string]string
	}
	etc    string // the configuration folder
	serial int64
)

func TestMain(m *testing.M) {
	os.Exit(withSandbox(m.Run))
}

func withSandbox(run func() int) int {
	folder, err := workFolder()
	must(err)
	defer os.RemoveAll(folder)
	tree, err = filepath.Abs("../../..")
	must(err)
	command := exec.Command("/usr/bin/python3", "-B",
		filepath.Join(tree, "tests/sandbox/sandbox.py"), "--dir",
		filepath.Join(folder, "sandbox"), "--until-eof", "--remove", folder)
	command.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	command.Stderr = os.Stderr
	alive, err := command.StdinPipe()
	must(err)
	out, err := command.StdoutPipe()
	must(err)
	must(command.Start())
	defer command.Wait()
	defer alive.Close()

	var word, file string
	_, err = fmt.Fscan(out, &word, &file)
	must(err)
	text, err := os.ReadFile(file)
	must(err)
	must(json.Unmarshal(text, &facts))
	etc = filepath.Join(folder, "etc")
	must(os.Mkdir(etc, 0o755))
	control("folder", map[string]string{"path": etc}, nil)
	return run()
}

// workFolder is where the library trusts files: nowhere below /tmp.
func workFolder() (string, error) {
	base := "/run"
	if os.Geteuid() != 0 {
		base = os.Getenv("XDG_RUNTIME_DIR")
	}
	if base == "" {
		base = os.Getenv("BUILD")
	}
	folder, err := os.MkdirTemp(base, "monime-go.")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	return folder, err
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// control asks the sandbox's control interface: POST, or GET for no body.
func control(path string, body, into any) {
	url := fmt.Sprintf("http://127.0.0.1:%d/%s", facts.Ports["control"], path)
	var answer *http.Response
	var err error
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if body == nil {
		answer, err = client.Get(url)
	} else {
		text, failed := json.Marshal(body)
		must(failed)
		answer, err = client.Post(url, "application/json",
			bytes.NewReader(text))
	}
	must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(err)
	if answer.StatusCode != http.StatusOK {
		panic(fmt.Sprintf("%s: %s", path, text))
	}
	if into != nil {
		must(json.Unmarshal(text, into))
	}
}

type object = map[string]any

func fault(what ...any) {
	control("fault", what, nil)
}

// reset forgets all of it but the tokens that a test was granted.
func reset() {
	control("reset", object{"only": []string{"log", "effects", "faults",
		"settings", "store"}}, nil)
}

// A request as the sandbox saw it.
type seen struct {
	Method  string
	Target  string
	Headers [][2]string
	Body    string
	Token   string
}

func (s seen) header(name string) (values []string) {
	for _, h := range s.Headers {
		if strings.EqualFold(h[0], name) {
			values = append(values, h[1])
		}
	}
	return values
}

func requests() []seen {
	var log struct{ Requests []seen }
	control("log?server=monime", nil, &log)
	return log.Requests
}

func count(what, server string) int {
	var counts map[string]json.RawMessage
	var of map[string]int
	control("counts", nil, &counts)
	must(json.Unmarshal(counts[what], &of))
	return of[server]
}

func waitFor(t *testing.T, what string, more object) {
	t.Helper()
	var came struct {
		Reached bool
		Value   int
	}
	ask := object{"what": what, "server": "monime",
		"seconds": patience.Seconds()}
	for name, value := range more {
		ask[name] = value
	}
	control("wait", ask, &came)
	if !came.Reached {
		t.Fatalf("%s: %d, not %v", what, came.Value, more)
	}
}

// granted is a fresh token that the profiles of spc-sandbox accept.
func granted() string {
	token := fmt.Sprintf("mon_test_canary_go_%06d", atomic.AddInt64(&serial, 1))
	control("grant", object{"token": token, "environment": "test",
		"spaces": []string{"spc-sandbox"}}, nil)
	return token
}

func unknown() string {
	return fmt.Sprintf("mon_test_canary_unknown_%06d",
		atomic.AddInt64(&serial, 1))
}

// profile writes one of the sandbox's Monime, and its token where there is one.
func profile(t *testing.T, name, more, token string) string {
	t.Helper()
	writeProfile(t, name, fmt.Sprintf("provider = \"monime\";\n"+
		"space = \"spc-sandbox\";\nbase_url = \"%s\";\n%s",
		facts.Origins["monime"], more), token)
	return name
}

func writeProfile(t *testing.T, name, text, token string) {
	t.Helper()
	path := filepath.Join(etc, name)
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path+".conf", text)
	if token != "" {
		write(path+".token", token+"\n")
	}
}

// open opens a profile for as long as the test runs.
func open(t *testing.T, name string) *monime.Handle {
	t.Helper()
	return openWith(t, name, monime.Options{})
}

func openWith(t *testing.T, name string, options monime.Options) *monime.Handle {
	t.Helper()
	options.Folder = etc
	h, err := monime.Open(name, &options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}
