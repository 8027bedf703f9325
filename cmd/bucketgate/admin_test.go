package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// text reads a member of an answer by its path.
func text(t *testing.T, answer map[string]any, path ...string) string {
	t.Helper()
	var value any = answer
	for _, name := range path {
		object, ok := value.(map[string]any)
		require.True(t, ok, "%v has no %s", answer, name)
		value = object[name]
	}
	s, ok := value.(string)
	require.True(t, ok, "%v in %v", path, answer)
	return s
}

// typeKey posts the form of a link's page as a browser does.
func typeKey(t *testing.T, link, key string) (status int, page string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, link, strings.NewReader(url.Values{"api_key": {key}}.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	request.Header.Set("Origin", request.URL.Scheme+"://"+request.URL.Host)
	return answered(t, request)
}

func lookAt(t *testing.T, link string) (status int, page string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	require.NoError(t, err)
	return answered(t, request)
}

func answered(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(page)
}

// The guide's steps by an admin's tools, from an empty database to an agent's
// get_repo, with the key typed past the model; and every step is in the log.
func TestTheGuideByAdminTools(t *testing.T) {
	for _, protocol := range generations {
		t.Run(protocol, func(t *testing.T) {
			s, env := canaryBitbucket(t), newHome(t)
			must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
			a := newModel(t, protocol, env, "--admin")
			assertHints(t, a)

			// An address of one's own takes the command line.
			_, code := a.refusal(t, "create_provider", arguments{"name": "evil", "workspace": "acme", "api_url": s.URL()})
			assert.Equal(t, "invalid_argument", code)
			_, code = a.refusal(t, "update_provider", arguments{"name": "acme", "version": 1, "api_url": "https://evil.example/2.0"})
			assert.Equal(t, "invalid_argument", code)
			cloud := a.answer(t, "create_provider", arguments{"name": "cloud", "workspace": "acme", "description": "the real one"})
			assert.Equal(t, "https://api.bitbucket.org/2.0", text(t, cloud, "provider", "api_url"))

			// The key goes past the model.
			made := a.answer(t, "create_credential", arguments{"provider": "acme", "name": "reader", "username": canaryUser})
			assert.Equal(t, "not set", text(t, made, "credential", "api_key"))
			link := text(t, made, "link", "url")
			status, page := lookAt(t, link)
			assert.Equal(t, http.StatusOK, status)
			for _, words := range []string{"local</strong> asks for it", "<dd>acme</dd>", strings.TrimPrefix(strings.TrimSuffix(s.URL(), "/2.0"), "http://"), "reader", canaryUser} {
				assert.Contains(t, strings.ReplaceAll(page, "&#43;", "+"), words)
			}
			status, page = typeKey(t, link, canaryKey+" and more")
			assert.Equal(t, http.StatusUnprocessableEntity, status)
			assert.Contains(t, page, "The API key holds a blank")
			assertNoKey(t, "the page", page)
			status, page = typeKey(t, link, " "+canaryKey+"\n") // as it is pasted
			assert.Equal(t, http.StatusOK, status, page)
			assertNoKey(t, "the page", page)
			for range 2 {
				status, _ = typeKey(t, link, canaryKey)
				assert.Equal(t, http.StatusGone, status)
				status, _ = lookAt(t, link)
				assert.Equal(t, http.StatusGone, status)
			}

			test := a.answer(t, "test_credential", arguments{"provider": "acme", "name": "reader"})
			assert.Equal(t, true, test["works"], test["summary"])
			scope := a.answer(t, "create_scope", arguments{
				"name": "team", "provider": "acme", "credential": "reader", "repositories": []string{"^api.*"}, "branches": []string{"main", "^feature/"},
			})
			require.Len(t, scope["warnings"], 1)
			assert.Contains(t, scope["warnings"].([]any)[0], "matches only the name 'feature/'")
			scope = a.answer(t, "update_scope", arguments{"name": "team", "version": 1, "branches": []string{"main", "^feature/.*"}})
			assert.Empty(t, scope["warnings"])
			assert.Equal(t, []any{"^api.*"}, scope["scope"].(map[string]any)["repositories"], "what is left out stays")

			preview := a.answer(t, "preview_scope", arguments{"name": "team", "repository": "hidden"})
			assert.Contains(t, preview["summary"], "2 of 3")
			assert.Equal(t, false, preview["allowed"])
			draft := a.answer(t, "preview_scope", arguments{"provider": "acme", "credential": "reader", "repositories": []string{"hidden"}, "repository": "hidden", "branch": "main"})
			assert.Equal(t, true, draft["allowed"])
			assert.Equal(t, "repositories: hidden", draft["pattern"])
			assert.EqualValues(t, 1, draft["matched"])

			client := a.answer(t, "create_client", arguments{"name": "bot", "scopes": []string{"team"}, "expires_in": "90d"})
			assert.Contains(t, text(t, client, "client", "key"), "not set")
			assert.Contains(t, client["next_steps"].([]any)[0], `bucketgate client key "bot"`)
			assert.NotContains(t, string(a.tap.last), "bg_")
			_, code = a.refusal(t, "delete_scope", arguments{"name": "team"})
			assert.Equal(t, "in_use", code)

			// Each action is one event.
			events := a.answer(t, "list_audit_events", arguments{"limit": 200})["events"].([]any)
			var got []string
			for i := len(events) - 1; i >= 0; i-- {
				e := events[i].(map[string]any)
				got = append(got, e["tool"].(string)+" "+e["decision"].(string))
				assert.Equal(t, "local", strings.Replace(e["caller"].(string), "unknown", "local", 1))
				assert.Equal(t, "admin", e["role"])
			}
			assert.Equal(t, []string{
				"create_provider allowed",
				"create_provider denied", "update_provider denied", "create_provider allowed",
				"create_credential allowed", "use_link denied", "use_link allowed", "use_link denied", "use_link denied", "use_link denied", "use_link denied",
				"test_credential allowed", "create_scope allowed", "update_scope allowed", "preview_scope allowed", "preview_scope allowed",
				"create_client allowed", "delete_scope denied",
			}, got)
			log := must(t, env, "audit", "export")
			assertNoKey(t, "the audit log", log)
			must(t, env, "audit", "verify")

			// The agent's side, which knows nothing of the admin's.
			agent := newModel(t, protocol, env, "--scope", "team")
			answer := agent.answer(t, "get_repo", arguments{"repository": "api"})
			assert.Equal(t, "acme/api", answer["full_name"])
			assertUnknownAlike(t, agent, "create_scope", "frobnicate")
		})
	}
}

// assertHints holds that a client knows what may change something.
func assertHints(t *testing.T, a *model) {
	t.Helper()
	count := 0
	for tool, err := range a.Tools(t.Context(), nil) {
		require.NoError(t, err)
		count++
		verb, _, _ := strings.Cut(tool.Name, "_")
		assert.NotEmpty(t, tool.Annotations.Title, tool.Name)
		assert.Equal(t, verb == "list" || verb == "test" || verb == "preview", tool.Annotations.ReadOnlyHint, tool.Name)
		require.NotNil(t, tool.Annotations.DestructiveHint, tool.Name)
		assert.Equal(t, verb == "update" || verb == "delete", *tool.Annotations.DestructiveHint, tool.Name)
	}
	assert.Equal(t, 19, count)
}

// assertUnknownAlike holds that two names get the same answer, but for the id.
func assertUnknownAlike(t *testing.T, a *model, names ...string) {
	t.Helper()
	var words []string
	for _, name := range names {
		_, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments{}})
		require.Error(t, err)
		words = append(words, err.Error())
	}
	assert.Equal(t, words[0], words[1])
	assert.Contains(t, words[0], "bucketgate stdio --admin")
}

// canaryBitbucket lets in nobody but the canary's account.
func canaryBitbucket(t *testing.T) *bitbuckettest.Server {
	t.Helper()
	s := bitbuckettest.New(t, func(o *sample.Options) {
		o.Accounts = []sample.Account{{Name: "Somebody", Username: canaryUser, Token: canaryKey}}
	})
	s.Repository("acme/api", "main", "feature/x", "secret/y")
	s.Repository("acme/api-two", "main")
	s.Repository("acme/hidden", "main")
	return s
}

// assertNoKey holds that no spelling of the key, nor a piece of it, is there.
// An admin does see the user name.
func assertNoKey(t *testing.T, where, text string) {
	t.Helper()
	for _, trace := range traces(canaryKey) {
		if strings.Contains(text, trace) {
			assert.Fail(t, "the key shows", "%s holds %q:\n%s", where, trace, text)
		}
	}
}

// Whatever an admin does with a key that is an argument: it is in no answer, no
// error, no event, no log and no file.
func TestTheKeyAsAnArgumentIsFoundNowhere(t *testing.T) {
	s, env := canaryBitbucket(t), newHome(t)
	must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	calls := []struct {
		tool string
		in   arguments
	}{
		{"create_credential", arguments{"provider": "acme", "name": "reader", "username": canaryUser, "api_key": canaryKey}},
		{"create_credential", arguments{"provider": "acme", "name": "reader", "username": canaryUser, "api_key": canaryKey}},
		{"create_credential", arguments{"provider": "none", "name": "reader", "api_key": canaryKey}},
		{"create_credential", arguments{"provider": "acme", "name": "x", "api_key": canaryKey}},
		{"create_credential", arguments{"provider": "acme", "name": "x", "api_key": "ATBB" + canaryKey}},
		{"create_credential", arguments{"provider": "acme", "name": "x", "api_key": canaryKey + "\u0007" + canaryKey}},
		{"create_credential", arguments{"provider": "acme", "name": "x", "api_key": strings.Repeat(canaryKey, 200)}},
		{"create_credential", arguments{"provider": "acme", "name": "x", "api_key": []string{canaryKey}}},
		{"create_credential", arguments{"provider": "acme", "name": "x", "key": canaryKey}},
		{"create_credential", arguments{"provider": "acme", "name": "x", canaryKey: "1"}},
		{"create_credential", arguments{"provider": "acme", "name": "y", "username": canaryUser, "api_key": canaryKey, "expires_on": canaryKey[:10]}},
		{"create_credential", arguments{"provider": "acme", "name": "z", "username": canaryUser, "api_key": canaryKey, "fields": []any{arguments{"key": "seed", "value": canaryKey, "sensitive": true}}}},
		{"create_credential", arguments{"provider": "acme", "name": "q", "username": canaryUser, "api_key": canaryKey, "fields": []any{arguments{"key": "seed", "secret": canaryKey}}}},
		{"update_credential", arguments{"provider": "acme", "name": "reader", "version": 1, "api_key": canaryKey}},
		{"update_credential", arguments{"provider": "acme", "name": "reader", "version": 1, "api_key": canaryKey}},
		{"update_credential", arguments{"provider": "acme", "name": "reader", "version": 2, "username": "", "api_key": canaryKey}},
		{"test_credential", arguments{"provider": "acme", "name": "reader"}},
		{"list_credentials", arguments{}},
		{"frobnicate", arguments{"api_key": canaryKey}},
		{"list_audit_events", arguments{"limit": 200}},
	}
	cmd := command(t, env, "stdio", "--admin")
	var input strings.Builder
	for i, c := range calls {
		encoded, err := json.Marshal(c.in)
		require.NoError(t, err)
		input.WriteString(`{"jsonrpc":"2.0","id":` + string(rune('0'+i/10)) + string(rune('0'+i%10)) + `,"method":"tools/call","params":{"name":"` + c.tool + `","arguments":` + string(encoded) + "}}\n")
	}
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(input.String(), `"id":0`, `"id":`))
	output, err := cmd.CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, len(calls), strings.Count(string(output), `"jsonrpc"`), string(output))
	assertNoKey(t, "the output", string(output))
	assertNoKey(t, "the audit log", must(t, env, "audit", "export"))
	assert.Contains(t, must(t, env, "credential", "list"), "set, ends in …6789")
	assertNoFileHolds(t, env["HOME"], []string{canaryKey})
}

// A link's listener is there while a link is open, and a while longer.
func TestTheListenerOfLinksEnds(t *testing.T) {
	s, env := canaryBitbucket(t), newHome(t)
	must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	must(t, env, "credential", "create", "reader", "--provider", "acme", "--username", canaryUser)
	p := program{stderr: io.Discard, lookupEnv: env.lookup}
	f, err := p.openOffice(t.Context(), options{})
	require.NoError(t, err)
	defer f.close()
	service := f.managing(options{linkTTL: time.Hour}, nil)
	l := newLinkListener(service, p.log())
	l.linger = time.Millisecond
	running := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.server != nil
	}
	assert.False(t, running(), "no link, no listener")
	record, err := f.Credential(t.Context(), "acme", "reader")
	require.NoError(t, err)
	for range 2 { // it comes back with the next link
		made, link, err := service.UpdateCredentialWithLink(t.Context(), p.commandLine(), record.Version, recordOf(record))
		require.NoError(t, err)
		address, err := l.url(link.Token, link.Expires)
		require.NoError(t, err)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		request.Host = "evil.example"
		status, page := answered(t, request)
		assert.Equal(t, http.StatusForbidden, status)
		assert.NotContains(t, page, "reader")
		status, _ = typeKey(t, address, canaryKey)
		assert.Equal(t, http.StatusOK, status)
		require.Eventually(t, func() bool { return !running() }, 10*time.Second, time.Millisecond)
		record, err = f.Credential(t.Context(), "acme", "reader")
		require.NoError(t, err)
		assert.Greater(t, record.Version, made.Version)
	}
	l.close()
}

// A link that came too late, through the built program.
func TestALateLink(t *testing.T) {
	env := newHome(t)
	must(t, env, "provider", "create", "acme", "--workspace", "acme")
	a := newModel(t, generations[0], env, "--admin", "--link-ttl", "1ms")
	made := a.answer(t, "create_credential", arguments{"provider": "acme", "name": "reader", "username": canaryUser})
	link := text(t, made, "link", "url")
	require.Eventually(t, func() bool { status, _ := lookAt(t, link); return status == http.StatusGone }, 20*time.Second, 5*time.Millisecond)
	status, page := typeKey(t, link, canaryKey)
	assert.Equal(t, http.StatusGone, status)
	assertNoKey(t, "the page", page)
	listed := a.answer(t, "list_audit_events", arguments{"tool": "use_link", "decision": "denied"})
	require.Len(t, listed["events"], 2)
	assert.Contains(t, listed["events"].([]any)[0].(map[string]any)["reason"], "too late")
	assert.Contains(t, must(t, env, "credential", "list"), "not set")
	wrong := run(t, env, "", "stdio", "--admin", "--link-ttl", "0s")
	assert.Equal(t, exitUsage, wrong.code)
	assert.Contains(t, wrong.stderr, "36h or 90d")
}

// A link is good in every process that has the database.
func TestALinkOutlivesItsProcess(t *testing.T) {
	env := newHome(t)
	p := program{stderr: io.Discard, lookupEnv: env.lookup}
	must(t, env, "provider", "create", "acme", "--workspace", "acme")
	one, err := p.openOffice(t.Context(), options{})
	require.NoError(t, err)
	_, link, err := one.managing(options{}, nil).CreateCredentialWithLink(t.Context(), p.commandLine(), manage.Credential{Provider: "acme", Name: "reader", Username: canaryUser})
	require.NoError(t, err)
	require.NoError(t, one.close())

	two, err := p.openOffice(t.Context(), options{})
	require.NoError(t, err)
	_, err = two.managing(options{}, nil).UseLink(t.Context(), link.Token.Reveal(), secret.NewText(canaryKey))
	require.NoError(t, err)
	require.NoError(t, two.close())
	assert.Contains(t, must(t, env, "credential", "list"), "set, ends in …6789")
	must(t, env, "audit", "verify")
}

func recordOf(c store.Credential) manage.Credential {
	return manage.Credential{Provider: c.Provider, Name: c.Name, Username: c.Username}
}

// One call from the command line cannot serve a page, and says what to do.
func TestOneCallOfAnAdminsTool(t *testing.T) {
	env := newHome(t)
	must(t, env, "call", "--admin", "create_provider", "name=acme", "workspace=acme")
	made := must(t, env, "call", "--admin", "create_credential", "provider=acme", "name=reader", "username=me@example.com", `fields={"key":"note","value":"n"}`)
	assert.NotContains(t, made, `"link"`)
	assert.Contains(t, made, `bucketgate credential update \"reader\" --provider \"acme\" --api-key-stdin`)
	scope := must(t, env, "call", "--admin", "create_scope", "name=team", "provider=acme", "credential=reader", "repositories=api", "repositories=[1]")
	assert.Contains(t, scope, `"repositories":["api","[1]"]`)
	wrong := run(t, env, "", "call", "--admin", "get_repo", "repository=api")
	assert.Equal(t, exitFailed, wrong.code)
	assert.Contains(t, wrong.stdout, "There is no such tool here.")
	assert.Contains(t, wrong.stdout, "An agent's tools are at /mcp")
}

func TestAdminBesideTheEnvironmentIsAnError(t *testing.T) {
	s := newBitbucket(t)
	for _, command := range []string{"stdio", "call"} {
		got := run(t, environmentOf(s), "", command, "--admin", "list_scopes")
		if command == "stdio" {
			got = run(t, environmentOf(s), "", command, "--admin")
		}
		assert.Equal(t, exitFailed, got.code)
		assert.Contains(t, got.stderr, varWorkspace)
		assert.Contains(t, got.stderr, "--admin")
	}
}
