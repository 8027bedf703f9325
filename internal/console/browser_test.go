package console

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/testneeds"
)

// patience is how long a browser may take for a step on a loaded machine.
const patience = 30 * time.Second

// A browser is a real Chromium that is used as a person would: by the labels
// and roles that assistive technology sees.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string
	log *journal // what its console said: a refused script or style stands there

	keyboard bool // nothing is done with the mouse
	noScript bool
}

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	testneeds.Skip(t, "there is no Chromium: install the package chromium")
	return ""
}

func newBrowser(t *testing.T, h *house, width, height int64, options ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	all := append(append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...),
		chromedp.ExecPath(findChromium(t)), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(int(width), int(height)), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-gpu", true), chromedp.WSURLReadTimeout(2*patience))
	all = append(all, options...)
	whole, end := context.WithTimeout(context.Background(), 6*time.Minute)
	t.Cleanup(end)
	allocator, stop := chromedp.NewExecAllocator(whole, all...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, url: h.url, log: &journal{}}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			for _, argument := range e.Args {
				fmt.Fprintf(b.log, "%s %s\n", e.Type, argument.Value)
			}
		case *runtime.EventExceptionThrown:
			fmt.Fprintf(b.log, "exception %s\n", e.ExceptionDetails.Text)
		}
	})
	b.do(chromedp.EmulateViewport(width, height))
	b.dark(false)
	return b
}

func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 4*patience) // the first action starts the browser
	defer cancel()
	if chromedp.FromContext(b.ctx).Target == nil {
		require.NoError(b.t, chromedp.Run(b.ctx, actions...)) // its life must be the test's
		return
	}
	require.NoError(b.t, chromedp.Run(ctx, actions...))
}

// attempt does what may meet a page that is just being left: then the browser
// may never answer, and who called tries again.
func (b *browser) attempt(actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience/6)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// insist does what may be done twice until the browser answers: on a loaded
// machine it loses a question now and then.
func (b *browser) insist(actions ...chromedp.Action) {
	b.t.Helper()
	var err error
	for range 6 {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		err = chromedp.Run(ctx, actions...)
		cancel()
		if err == nil {
			return
		}
	}
	require.NoError(b.t, err)
}

// open goes to a page by its address.
func (b *browser) open(path string) {
	b.t.Helper()
	b.insist(chromedp.Navigate(b.url + path))
}

// found looks for elements by role and accessible name, as axe computes them,
// and leaves the first in the page for what is done with it. It does not ask
// Chromium for its own tree of them: version 148 loses its renderer when the
// page of such a tree is left.
const found = `((role, name) => {
  if (document.readyState !== "complete") return false;
  axe.setup(document.documentElement);
  try {
    window.bucketgateFound = [...document.querySelectorAll("a, button, input, select, textarea, summary, [role]")].find((e) => {
      const is = e.tagName === "SUMMARY" ? "disclosure" : e.type === "password" ? "textbox" : axe.commons.aria.getRole(e);
      return is === role && e.checkVisibility() && axe.commons.text.accessibleText(e).trim().replace(/\s+/g, " ") === name;
    });
  } finally {
    axe.teardown();
  }
  return Boolean(window.bucketgateFound);
})`

// find waits for the element of a role with this name.
func (b *browser) find(role, name string) {
	b.t.Helper()
	question, err := json.Marshal([]string{role, name})
	require.NoError(b.t, err)
	for end := time.Now().Add(patience); ; {
		var there, known bool
		err := b.attempt(chromedp.Evaluate(`typeof axe !== "undefined"`, &known))
		if err == nil && !known {
			err = b.attempt(chromedp.Evaluate(axe+";0", nil))
		}
		if err == nil {
			err = b.attempt(chromedp.Evaluate(found+`(...`+string(question)+`)`, &there))
		}
		if err == nil && there {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("the page has no %s %q (%v): %s", role, name, err, b.text())
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// click clicks an element where a person would see it.
func (b *browser) click(role, name string) {
	b.t.Helper()
	if b.keyboard {
		b.reach(role, name)
		press := kb.Enter
		if role == "checkbox" || role == "switch" {
			press = " "
		}
		b.do(chromedp.KeyEvent(press))
		return
	}
	b.find(role, name)
	at := value[[]float64](b, `(() => { const e = window.bucketgateFound; e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// fill types into the field with this label, in place of what is there.
func (b *browser) fill(label, text string) {
	b.t.Helper()
	b.focus("textbox", label)
	b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(input.ModifierCtrl)), chromedp.KeyEvent(kb.Delete), chromedp.KeyEvent(text))
}

func (b *browser) focus(role, name string) {
	b.t.Helper()
	if b.keyboard {
		b.reach(role, name)
		return
	}
	b.find(role, name)
	b.insist(chromedp.Evaluate(`window.bucketgateFound.focus()`, nil))
}

// maxTabs is how often somebody presses Tab on one of our pages before they
// give up.
const maxTabs = 60

// reach goes to an element with the Tab key, as who has no mouse does, and
// asserts that where the focus is can be seen.
func (b *browser) reach(role, name string) {
	b.t.Helper()
	b.find(role, name)
	for range maxTabs {
		if value[bool](b, `document.activeElement === window.bucketgateFound`) {
			require.True(b.t, value[bool](b, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== "none" || s.boxShadow !== "none"; })()`), "the focus on %s %q is not to be seen", role, name)
			return
		}
		b.do(chromedp.KeyEvent(kb.Tab))
	}
	b.t.Fatalf("the Tab key does not lead to the %s %q", role, name)
}

// choose chooses an option of a select field by what it says, with the
// keyboard: a list that drops down is drawn by the system.
func (b *browser) choose(label, option string) {
	b.t.Helper()
	b.focus("combobox", label)
	b.do(chromedp.KeyEvent(option))
}

// see waits until the page says the words.
func (b *browser) see(words string) {
	b.t.Helper()
	end := time.Now().Add(patience)
	for !strings.Contains(b.text(), words) {
		if time.Now().After(end) {
			b.t.Fatalf("the page does not say %q: %s", words, b.text())
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// text is what the page says, in one line.
func (b *browser) text() string {
	var text string
	if err := b.attempt(chromedp.Evaluate(`document.body ? document.title + " " + document.body.innerText : ""`, &text)); err != nil {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}

// value is what an expression of script comes to.
func value[R any](b *browser, expression string) R {
	b.t.Helper()
	var v R
	b.insist(chromedp.Evaluate(expression, &v))
	return v
}

func (b *browser) dark(on bool) {
	scheme := "light"
	if on {
		scheme = "dark"
	}
	b.insist(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}, // or axe measures a color on its way
	}))
}

func (b *browser) login(key string) {
	b.t.Helper()
	b.open("/admin/login")
	b.fill("Admin key", key)
	b.click("button", "Log in")
	b.find("button", "Log out")
}

// shot is a picture of the page.
func (b *browser) shot(whole bool) []byte {
	b.t.Helper()
	var png []byte
	b.insist(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).WithCaptureBeyondViewport(whole).Do(ctx)
		return err
	}))
	return png
}

//go:embed testdata/axe/axe.min.js
var axe string

// A violation is what axe found.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// accessible asserts that axe-core finds nothing on the page (WCAG 2.2 AA).
func (b *browser) accessible(name string) {
	b.t.Helper()
	var text string
	b.insist(chromedp.Evaluate(axe+";0", nil), chromedp.Evaluate(
		`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => JSON.stringify(r.violations))`,
		&text, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var found []violation
	require.NoError(b.t, json.Unmarshal([]byte(text), &found))
	for _, v := range found {
		for _, n := range v.Nodes {
			assert.Fail(b.t, "axe on "+name, "%s: %s\n%s\n%s", v.ID, v.Help, n.HTML, n.Summary)
		}
	}
}

// hideCaret takes the blinking line out of a picture.
var hideCaret = chromedp.Evaluate(`document.activeElement.blur()`, nil)
