package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
)

// The canaries: a key with letters that every encoding writes in its own way,
// and a user name.
const (
	canaryKey  = `ATATTc4n4ry+Key/With&<Every>"Letter%41=0123456789`
	canaryUser = "canary.user+tag@example.com"
)

// traces are all spellings of a secret that must be found nowhere.
func traces(secret string) []string {
	var found []string
	for i := 0; i+12 <= len(secret); i += 4 {
		found = append(found, secret[i:i+12]) // a piece is a leak too
	}
	for _, text := range []string{secret, canaryUser + ":" + secret} {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			for shift := range 3 { // the three ways in which a text can lie within base64
				encoded := encoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
				found = append(found, encoded[4:len(encoded)-4])
			}
		}
	}
	reversed := []byte(secret)
	slices.Reverse(reversed)
	escaped, _ := json.Marshal(secret)
	var units strings.Builder
	for _, c := range []byte(secret) {
		fmt.Fprintf(&units, `\u%04x`, c)
	}
	return append(found, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))), string(reversed), strings.Trim(string(escaped), `"`), units.String())
}

func assertNoTrace(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{canaryKey, canaryUser} {
		for _, trace := range traces(secret) {
			if strings.Contains(text, trace) {
				assert.Fail(t, "a secret shows", "%s holds %q:\n%s", where, trace, text)
			}
		}
	}
}

// The search itself finds what it is to find.
func TestTraces(t *testing.T) {
	for _, text := range []string{
		canaryKey,
		"Basic " + base64.StdEncoding.EncodeToString([]byte(canaryUser+":"+canaryKey)),
		base64.RawURLEncoding.EncodeToString([]byte("pad" + canaryKey)),
		"https://x/?k=" + url.QueryEscape(canaryKey),
		fmt.Sprintf("%x", canaryKey), fmt.Sprintf("%q", canaryKey), canaryKey[8:24],
	} {
		found := false
		for _, trace := range traces(canaryKey) {
			found = found || strings.Contains(text, trace)
		}
		assert.True(t, found, text)
	}
}

func canaryEnvironment(t *testing.T) (*bitbuckettest.Server, variables) {
	s := bitbuckettest.New(t, func(o *sample.Options) {
		o.Accounts = []sample.Account{{Name: "Somebody", Username: canaryUser, Token: canaryKey}}
	})
	s.Repository("acme/api", "main", "feature/x")
	s.Repository("acme/hidden", "main")
	return s, environmentOf(s).with(varUsername, canaryUser, varToken, canaryKey)
}

// echo answers with what it was sent, as proxies and debugging pages do: in
// headers, in a redirect, and in a body of several kinds.
func echo(code int, contentType, body string) sample.Fault {
	return sample.Fault{Instead: func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header.Get("Authorization")
		user, key, _ := r.BasicAuth()
		for _, name := range []string{"X-Echo", "WWW-Authenticate", "Retry-After", "X-RateLimit-Resource", "Set-Cookie"} {
			w.Header().Set(name, authorization+" "+key)
		}
		w.Header().Set("Location", "https://"+url.UserPassword(user, key).String()+"@evil.example/?a="+url.QueryEscape(authorization))
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		quoted, _ := json.Marshal(key)
		body := strings.NewReplacer("KEY", strings.Trim(string(quoted), `"`), "AUTH", authorization, "USER", user).Replace(body)
		fmt.Fprint(w, body)
	}}
}

func TestTheKeyIsFoundNowhere(t *testing.T) {
	const (
		errorBody = `{"type":"error","error":{"message":"AUTH KEY USER","detail":{"required":["KEY","AUTH"],"granted":["USER"]}}}`
		html      = `<html><pre>Authorization: AUTH KEY USER</pre>`
	)
	faults := map[string]sample.Fault{
		"it works":           sample.Status(404, "").On("/nothing"),
		"an HTML page":       echo(200, "text/html", html),
		"no list":            echo(200, "application/json", `{"error":"AUTH KEY"}`),
		"values of a kind":   echo(200, "application/json", `{"values":"AUTH KEY"}`),
		"half an answer":     echo(200, "application/json", `{"values":[{"full_name":"AUTH KEY`),
		"a next link":        echo(200, "application/json", `{"values":[],"next":"https://evil.example/?k=KEY&a=AUTH"}`),
		"a next with a name": echo(200, "application/json", `{"values":[],"next":"https://USER:KEY@evil.example/"}`),
		"301":                echo(301, "text/html", html),
		"307":                echo(307, "text/html", html),
		"400":                echo(400, "application/json", errorBody),
		"401":                echo(401, "application/json", errorBody),
		"401 in HTML":        echo(401, "text/html", html),
		"403":                echo(403, "application/json", errorBody),
		"404":                echo(404, "application/json", errorBody),
		"429":                echo(429, "text/plain", "AUTH KEY"),
		"500":                echo(500, "text/html", html),
		"a hang":             sample.Hang(),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, env := canaryEnvironment(t)
			s.Fail(fault)
			path := filepath.Join(t.TempDir(), "audit")
			env = env.with("BUCKETGATE_AUDIT_FILE", path)
			patience := 20 * time.Second
			if name == "a hang" {
				patience = 200 * time.Millisecond
			}
			for _, args := range [][]string{
				{"check"}, {"call", "my_access"}, {"call", "get_repo", "repository=api"}, {"call", "get_repo", "repository=hidden"},
				{"call", "list_repos", "detail=full"}, {"call", "list_branches", "repository=api"}, {"stdio"},
			} {
				ctx, stop := context.WithTimeout(t.Context(), patience)
				got := runUntil(ctx, env, strings.Join([]string{
					`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
					`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"api"}}}`,
					`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"list_repos","arguments":{"limit":1}}}`,
					`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":7}}}`,
					`{"jsonrpc":"2.0","id":5,"method":"tools/list","METHOD":1}`,
				}, "\n"), args...)
				stop()
				assertNoTrace(t, "stdout", got.stdout)
				assertNoTrace(t, "stderr", got.stderr)
			}
			assert.NotEmpty(t, s.Journal())
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.NotEmpty(t, content)
			assertNoTrace(t, "the audit file", string(content))
		})
	}
}

// The same through the built program, where a crash would show its stack.
func TestTheBinaryKeepsTheKey(t *testing.T) {
	s, env := canaryEnvironment(t)
	s.Fail(echo(401, "text/html", "AUTH KEY USER").After(2))
	cmd := command(t, env, "stdio")
	var input strings.Builder
	for i := range 6 {
		fmt.Fprintf(&input, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"list_branches","arguments":{"repository":"api"}}}`+"\n", i)
	}
	cmd.Stdin = strings.NewReader(input.String())
	output, err := cmd.CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, 6, strings.Count(string(output), `"jsonrpc"`))
	assertNoTrace(t, "the output", string(output))
}

// Mistakes in the variables do not print the key, wherever it was put.
func TestMistakesDoNotPrintTheKey(t *testing.T) {
	_, env := canaryEnvironment(t)
	for name, env := range map[string]variables{
		"no user name":          env.without(varUsername),
		"an app password":       env.with(varToken, "ATBB"+canaryKey),
		"a newline":             env.with(varToken, canaryKey+"\n"),
		"unexpanded":            env.with(varToken, canaryKey+"${X}"),
		"in the address":        env.with(varAPI, "https://"+canaryUser+":"+url.QueryEscape(canaryKey)+"@api.bitbucket.org/2.0"),
		"in a broken address":   env.with(varAPI, "https://"+canaryUser+":"+canaryKey+"@api.bitbucket.org/2.0"),
		"in the query":          env.with(varAPI, "https://api.bitbucket.org/2.0?k="+canaryKey),
		"as the workspace":      env.with(varWorkspace, canaryKey),
		"no workspace":          env.without(varWorkspace),
		"another address":       env.with(varAPI, "http://127.0.0.1:1/2.0"),
		"as the user name":      env.with(varUsername, "a:"+canaryKey),
		"beside a wrong scope":  env.with("BUCKETGATE_SCOPE", "x"),
		"beside a wrong audit":  env.with("BUCKETGATE_AUDIT_FILE", "/nonexistent/x"),
		"beside a wrong regexp": env.with(varRepoRegex, "("),
	} {
		for _, args := range [][]string{{"stdio"}, {"check"}, {"call", "list_repos"}, {"call", "nosuch"}} {
			got := run(t, env, "", args...)
			assertNoTrace(t, name, got.stdout+got.stderr)
		}
	}
}
