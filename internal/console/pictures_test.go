package console

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/manage"
)

var pictures = flag.String("pictures", "", "write the pictures of docs/admin.md into this `folder`")

// TestPictures draws the pictures of docs/admin.md, where asked to: see make
// screenshots.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("-pictures names no folder")
	}
	h := newHouse(t, func(c *Config) { c.PublicURL = "https://bucketgate.example" })
	h.console.sessions.Cookie.Secure = false // the browser of this test comes without the proxy
	h.console.sessions.Cookie.Name, h.console.sessions.Cookie.Path = "bucketgate-console", "/admin/"
	b := newBrowser(t, h, 1120, 760)
	snap := func(name string) {
		t.Helper()
		b.do(hideCaret)
		time.Sleep(400 * time.Millisecond) // transitions
		require.NoError(t, os.WriteFile(filepath.Join(*pictures, name+".png"), smaller(t, b.shot(false)), 0o644))
	}
	key := h.admin("anna")
	b.open("/admin/login")
	snap("login")
	b.login(key)
	snap("welcome")
	b.open("/admin/providers")
	snap("1-providers")

	b.open("/admin/new-provider")
	b.fill("Name", "acme")
	b.fill("Git Organization Name", "acme")
	snap("2-add-provider")
	b.click("button", "Create Provider")
	b.see("was created")
	h.pointAtSample("acme")

	b.open("/admin/providers/acme/new-credential")
	b.fill("Name", "reader")
	b.fill("API Key", sampleToken)
	b.fill("Username (optional)", sampleUser)
	snap("3-add-credential")
	b.click("button", "Create")
	b.see("works for reading")
	snap("3-credentials")

	b.open("/admin/providers/acme/new-scope")
	b.see("61 of 61")
	b.fill("Name", "platform")
	b.fill("Repository Names RegEx (optional)", "^duplocloud-.*")
	b.see("7 of 61")
	snap("4-add-scope")
	b.fill("Branch Names RegEx (optional)", "^main$")
	b.click("button", "Create")
	b.see("was created")
	snap("4-scopes")

	b.click("link", "Try it")
	b.see("Ask as an agent")
	b.fill("Repository", "duplocloud-api")
	snap("5-try")
	b.click("button", "Ask")
	b.see("Allowed")
	b.do(chromedp.EmulateViewport(1120, 1000))
	snap("6-answer")
	b.do(chromedp.EmulateViewport(1120, 760))
	b.open("/admin/try")
	b.fill("Repository", "payments-ledger")
	b.click("button", "Ask")
	b.see("Why, from the audit log")
	snap("refused")

	b.open("/admin/new-client")
	b.fill("Name", "claude-code-anna")
	snap("add-client")
	b.click("button", "Create")
	b.see("Copy it now")
	snap("key")
	for _, c := range []manage.Client{{Name: "ci-reviewer", Scopes: []string{"platform"}, ExpiresIn: 9 * day}, {Name: "cursor-bert", Scopes: []string{"platform"}, ExpiresIn: 365 * day}, {Name: "prototype"}} {
		_, _, err := h.service.CreateClient(context.Background(), manage.Actor{Name: "anna", Transport: "console"}, c)
		require.NoError(t, err)
	}
	require.NoError(t, h.service.RevokeClient(context.Background(), manage.Actor{Name: "anna", Transport: "console"}, "prototype"))
	b.open("/admin/clients?revoked=1")
	snap("clients")
	b.open("/admin/audit")
	b.click("button", "Check now")
	b.see("Whole")
	snap("audit")
	b.open("/admin/scopes/platform/delete")
	snap("delete")
	b.dark(true)
	b.open("/admin/scopes/platform")
	b.see("7 of 61")
	snap("scope-dark")
	b.dark(false)
	b.do(chromedp.EmulateViewport(390, 760))
	b.open("/admin/providers/acme/scopes")
	snap("narrow")
}

// The guide shows pictures that are there, and none lies about unused.
func TestTheGuideHasItsPictures(t *testing.T) {
	const folder = "../../docs"
	text, err := os.ReadFile(filepath.Join(folder, "admin.md"))
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(folder, "images", "*.png"))
	require.NoError(t, err)
	var drawn, shown []string
	for _, file := range files {
		drawn = append(drawn, filepath.Base(file))
	}
	for _, match := range regexp.MustCompile(`\]\(images/([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
		shown = append(shown, match[1])
	}
	require.ElementsMatch(t, drawn, shown)
}

// smaller writes a picture with a palette of the 256 colors that it has most
// of: pages have few, and the file is a third of what it was.
func smaller(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	counts := map[color.NRGBA]int{}
	for y := range full.Bounds().Dy() {
		for x := range full.Bounds().Dx() {
			counts[color.NRGBAModel.Convert(full.At(x, y)).(color.NRGBA)]++
		}
	}
	var all []color.NRGBA
	for c := range counts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.NRGBA) int { return counts[b] - counts[a] })
	var palette color.Palette
	for _, c := range all[:min(len(all), 256)] {
		palette = append(palette, c)
	}
	paletted := image.NewPaletted(full.Bounds(), palette)
	draw.Draw(paletted, paletted.Bounds(), full, image.Point{}, draw.Src)
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	require.NoError(t, encoder.Encode(&out, paletted))
	return out.Bytes()
}
