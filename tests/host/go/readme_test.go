// SPDX-License-Identifier: MIT

package tests

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// once replaces what must be there one time.
func once(t *testing.T, text, what, by string) string {
	t.Helper()
	if strings.Count(text, what) != 1 {
		t.Fatalf("README.md: not one %q in\n%s", what, text)
	}
	return strings.Replace(text, what, by, 1)
}

// A newcomer follows the README's section on Go to the letter, but for where
// the package and the profiles lie.
func TestReadmesProgramLetsInOurBearersAlone(t *testing.T) {
	section := regexp.MustCompile(`(?s)\n### Go\n(.*?)\n##`).
		FindStringSubmatch(read(t, "README.md"))
	if section == nil {
		t.Fatal("README.md: no section on Go")
	}
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").
		FindStringSubmatch(section[1])[1]
	program := regexp.MustCompile("(?s)```go\n(.*?)```").
		FindStringSubmatch(section[1])[1]

	folder := t.TempDir()
	program = once(t, program, `"test/payouts", nil`,
		`"test/payouts", &monime.Options{Folder: `+strconv.Quote(etc)+`}`)
	if err := os.WriteFile(filepath.Join(folder, "main.go"),
		[]byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	commands = once(t, commands, "sudo make install install-go\n", "")
	commands = once(t, commands, "/usr/share/gocode/src/libmonime/monime",
		filepath.Join(tree, "module/go"))
	commands = once(t, commands, "sudo ./gateway\n", "")
	shell := exec.Command("/bin/sh", "-euc", commands)
	shell.Dir = folder
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	server := exec.Command(filepath.Join(folder, "gateway"))
	server.Dir = folder
	told, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()
	line, err := bufio.NewReader(told).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://\S+`).FindString(line)
	reset()
	for token, status := range map[string]int{"": 401, unknown(): 401,
		facts.Tokens["live"]: 401, facts.Tokens["stranger_test"]: 403,
		granted(): 200} {
		r, err := http.NewRequest("GET", url+"/main.go", nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text := drain(answer)
		if answer.StatusCode != status || (status == 200) !=
			strings.Contains(text, "package main") {
			t.Errorf("%s: %d, not %d", token, answer.StatusCode, status)
		}
	}
}
