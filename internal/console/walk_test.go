package console

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// walk goes the guide's six steps, by labels and roles alone, and returns the
// key of the client at their end.
func (b *browser) walk(h *house) (key string) {
	b.t.Helper()
	// Step 1: navigate to the source control providers.
	b.click("link", "Providers")
	b.see("No provider yet")

	// Step 2: add a provider.
	b.click("button", "+ Add")
	b.see("Git Organization Name")
	b.fill("Name", "acme")
	b.fill("Git Organization Name", "acme")
	b.click("disclosure", "Another address")
	b.fill("API address (optional)", h.upstream.URL())
	b.click("button", "Create Provider")
	b.see("The provider acme was created")

	// Step 3: the new provider opens on its credentials.
	b.see("No credential yet")
	b.click("button", "+ Add")
	b.see("Credential Fields")
	b.fill("Name", "reader")
	b.fill("API Key", sampleToken)
	b.fill("Username (optional)", sampleUser)
	b.fill("Key", "webhook_secret")
	b.fill("Value", "canary-of-a-field")
	b.click("button", "Create")
	b.see("The credential reader works for reading.")
	b.see("Key set, ends in …wxyz")

	// Step 4: add a scope.
	b.click("link", "Scopes")
	b.see("No scope yet")
	b.click("button", "+ Add")
	b.see("What it matches")
	b.fill("Name", "platform")
	b.choose("Credential", "reader")
	b.fill("Repository Names RegEx (optional)", "^duplocloud-.*")
	b.fill("Branch Names RegEx (optional)", "^main$")
	b.preview()
	b.see("Matches 7 of 61")
	b.click("button", "Create")
	b.see("The scope platform was created")

	// Steps 5 and 6: the ticket, and what the agent answers.
	b.click("link", "Try it")
	b.see("Ask as an agent with one scope would")
	b.ask("platform", "duplocloud-api")
	for _, words := range []string{"Allowed", "Full name acme/duplocloud-api", "Visibility private", "https://bitbucket.org/acme/duplocloud-api", "Summary Yes, "} {
		b.see(words)
	}

	// And an agent of one's own.
	b.click("link", "Clients")
	b.see("anna")
	b.click("button", "+ Add")
	b.see("MCP client")
	b.fill("Name", "claude")
	b.choose("MCP client", "Cursor")
	b.click("button", "Create")
	b.see("Copy it now")
	b.see("${env:BUCKETGATE_KEY}")
	return value[string](b, `document.getElementById("client-key").textContent`)
}

// preview asks for the preview where there is no script that does.
func (b *browser) preview() {
	if b.noScript {
		b.click("button", "Preview")
	}
}

// A bearer sends a key with each request.
type bearer string

func (k bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(k))
	return http.DefaultTransport.RoundTrip(r)
}

// asksForARepository is an MCP client, which is not ours, with the key of the
// page.
func asksForARepository(t *testing.T, h *house, key string) {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: h.url + "/mcp", HTTPClient: &http.Client{Transport: bearer(key)}}, nil)
	require.NoError(t, err)
	defer session.Close()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_repo", Arguments: map[string]any{"repository": "duplocloud-api"}})
	require.NoError(t, err)
	require.False(t, result.IsError)
	var answer struct {
		Summary    string `json:"summary"`
		Name       string `json:"name"`
		FullName   string `json:"full_name"`
		Visibility string `json:"visibility"`
		URL        string `json:"url"`
	}
	require.NoError(t, json.Unmarshal([]byte(result.Content[0].(*mcp.TextContent).Text), &answer))
	assert.Equal(t, "acme/duplocloud-api", answer.FullName)
	assert.Equal(t, "duplocloud-api", answer.Name)
	assert.Equal(t, "private", answer.Visibility)
	assert.Equal(t, "https://bitbucket.org/acme/duplocloud-api", answer.URL)
	assert.NotEmpty(t, answer.Summary)
}

func TestTheGuideInABrowser(t *testing.T) {
	for name, row := range map[string]struct {
		width, height int64
		how           func(*browser)
	}{
		"with the mouse":     {1200, 900, func(*browser) {}},
		"with the keyboard":  {1200, 900, func(b *browser) { b.keyboard = true }},
		"without script":     {1200, 900, func(b *browser) { b.noScript = true; b.do(emulation.SetScriptExecutionDisabled(true)) }},
		"in a narrow window": {360, 740, func(*browser) {}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			b := newBrowser(t, h, row.width, row.height)
			row.how(b)
			b.login(h.admin("anna"))
			key := b.walk(h)
			asksForARepository(t, h, key)
			b.click("link", "Audit")
			b.see("claude get_repo platform duplocloud-api Allowed")
			stored, err := h.service.Credential(t.Context(), "acme", "reader")
			require.NoError(t, err)
			require.Len(t, stored.Fields, 1)
			assert.True(t, stored.Fields[0].Sensitive, "Sensitive turned itself on")
			if row.width < 600 {
				assert.LessOrEqual(t, value[int](b, `document.documentElement.scrollWidth`), int(row.width), "the page is not wider than the window")
			}
			assert.Empty(t, b.log.String())
		})
	}
}

func TestTheScriptHelpsWhoTypes(t *testing.T) {
	h := newHouse(t)
	h.guide()
	b := newBrowser(t, h, 1200, 900)
	b.login(h.admin("anna"))

	b.open("/admin/providers/acme/new-scope")
	b.see("Matches 61 of 61")
	h.upstream.ResetJournal()
	b.fill("Repository Names RegEx (optional)", "^duplocloud-.*")
	b.see("Matches 7 of 61")
	b.see("duplocloud-agent")
	b.fill("Repository Names RegEx (optional)", "^duplocloud-")
	b.see("Matches 0 of 61")
	b.see("Look again")
	b.fill("Repository Names RegEx (optional)", "(")
	b.see("Nothing counted yet.")
	h.upstream.AssertNothingSent(t) // what was listed a moment ago is judged anew

	b.open("/admin/providers/acme/new-credential")
	b.fill("Key", "access_token")
	assert.True(t, value[bool](b, `document.getElementById("sensitive-0").checked`), "it looks like a secret")
	assert.Equal(t, "password", value[string](b, `document.getElementById("value-0").type`))
	b.click("switch", "Sensitive")
	b.fill("Key", "access_token_name")
	assert.False(t, value[bool](b, `document.getElementById("sensitive-0").checked`), "a person has the last word")
	b.fill("Key", "region")
	b.click("button", "+ Add a field")
	assert.Equal(t, "key-2", value[string](b, `document.activeElement.id`))
	b.click("button", "Show the API Key")
	assert.Equal(t, "text", value[string](b, `document.getElementById("f-api-key").type`))
	assert.Empty(t, b.log.String())
}
