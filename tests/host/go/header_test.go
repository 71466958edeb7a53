// SPDX-License-Identifier: MIT

package tests

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"libmonime/monime"
)

var codes = map[string]monime.Code{
	"DENIED":      monime.ErrDenied,
	"FORBIDDEN":   monime.ErrForbidden,
	"ENVIRONMENT": monime.ErrEnvironment,
	"POLICY":      monime.ErrPolicy,
	"LIMIT":       monime.ErrLimit,
	"HTTP":        monime.ErrHTTP,
	"NET":         monime.ErrNet,
	"LOST":        monime.ErrLost,
	"PROTO":       monime.ErrProto,
	"INVAL":       monime.ErrInvalid,
	"CONFIG":      monime.ErrConfig,
	"UNSAFE":      monime.ErrUnsafe,
	"NOMEM":       monime.ErrNoMemory,
	"SYS":         monime.ErrSystem,
	"PENDING":     monime.ErrPending,
	"CANCELED":    monime.ErrCanceled,
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tree, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryCodeOfTheHeaderHasItsError(t *testing.T) {
	header := read(t, "include/monime.h")
	found := regexp.MustCompile(`MONIME_E(\w+)\s*=\s*(-\d+)`).
		FindAllStringSubmatch(header, -1)
	if len(found) != len(codes) {
		t.Errorf("%d codes in the header, %d here", len(found), len(codes))
	}
	for _, m := range found {
		number, _ := strconv.Atoi(m[2])
		if code, ok := codes[m[1]]; !ok || int(code) != number {
			t.Errorf("MONIME_E%s is %d, here %d", m[1], number, code)
		}
	}
	if !strings.Contains(header, `"`+monime.HeaderVersion+`"`) ||
		monime.Version() != monime.HeaderVersion {
		t.Errorf("versions %s and %s", monime.HeaderVersion,
			monime.Version())
	}
}

// The twins that block a thread have no place here.
var unused = map[string]bool{"monime_check_token": true,
	"monime_request": true, "monime_authorize": true,
	"monime_call_data": true, "monime_call_header": true}

func TestEveryFunctionOfTheHeaderIsUsed(t *testing.T) {
	var sources string
	paths, _ := filepath.Glob(filepath.Join(tree, "module/go/*.go"))
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		sources += string(text)
	}
	functions := regexp.MustCompile(`(?m)^[a-z][\w ]*[ *](monime_\w+)\(`).
		FindAllStringSubmatch(read(t, "include/monime.h"), -1)
	if len(functions) < 30 {
		t.Errorf("%d functions in the header", len(functions))
	}
	for _, m := range functions {
		used := regexp.MustCompile(`\b` + m[1] + `\(`).
			MatchString(regexp.MustCompile(`(?m)//.*`).
				ReplaceAllString(sources, ""))
		if m[1] != "monime_log_fn" && used == unused[m[1]] {
			t.Errorf("%s: used %v", m[1], used)
		}
	}
}

func TestEveryFactOfTheManualIsTold(t *testing.T) {
	manual := read(t, "lib/monime.3")
	list := regexp.MustCompile(`(?s)facts of a call\n\.Bl.*?\n\.El`).
		FindString(manual)
	binding := read(t, "module/go/binding.c")
	names := regexp.MustCompile(`(?m)^\.It Cm (\S+)$`).
		FindAllStringSubmatch(list, -1)
	table := regexp.MustCompile(`(?s)\bfacts\[\] = \{.*?\};`).
		FindString(binding)
	if n := strings.Count(table, `"`) / 2; n != len(names) || n < 20 {
		t.Errorf("%d facts here, %d in the manual", n, len(names))
	}
	for _, m := range names {
		if !strings.Contains(table, `"`+m[1]+`"`) {
			t.Errorf("%s is not here", m[1])
		}
	}
}

func TestHTTPStatusIsThatOfTheManual(t *testing.T) {
	found := regexp.MustCompile(`MONIME_E(\w+) Pq \\-\d+, HTTP (\d+)`).
		FindAllStringSubmatch(read(t, "lib/monime.3"), -1)
	if len(found) != len(codes) {
		t.Errorf("%d codes in the manual", len(found))
	}
	for _, m := range found {
		status, _ := strconv.Atoi(m[2])
		for _, err := range []error{codes[m[1]],
			&monime.Error{Code: codes[m[1]]}} {
			if got := monime.HTTPStatus(err); got != status {
				t.Errorf("%s: %d, not %d", m[1], got, status)
			}
		}
	}
	if monime.HTTPStatus(nil) != http.StatusOK {
		t.Error("nil is no 200")
	}
	// Nobody gets in by an error that is none of ours.
	for _, err := range []error{http.ErrServerClosed, monime.Code(0),
		&monime.Error{}, monime.Code(77)} {
		if got := monime.HTTPStatus(err); got != 500 {
			t.Errorf("%v: %d", err, got)
		}
	}
}
