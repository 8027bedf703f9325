package bitbucket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

// A next link is followed only where it leads to the next page of the very
// list that is read. Nothing else is asked, neither here nor elsewhere.
func TestNextLinksThatLeadElsewhere(t *testing.T) {
	evil := bitbuckettest.NewNeighbours(t)
	evilOrigin := strings.TrimSuffix(evil.URL(), "/2.0")
	own := func(edit func(origin, path string) string) func(api string) sample.Fault {
		return func(api string) sample.Fault {
			return sample.NextURL(edit(strings.TrimSuffix(api, "/2.0"), "/2.0/repositories/acme"))
		}
	}
	fixed := func(f sample.Fault) func(string) sample.Fault { return func(string) sample.Fault { return f } }
	tests := map[string]func(api string) sample.Fault{
		"another host":              fixed(sample.NextHost("https://evil.example")),
		"another port":              fixed(sample.NextHost(evilOrigin)),
		"another name of the host":  own(func(o, p string) string { return strings.Replace(o, "127.0.0.1", "localhost", 1) + p + "?page=2" }),
		"another scheme":            own(func(o, p string) string { return strings.Replace(o, "http:", "https:", 1) + p + "?page=2" }),
		"a user name":               own(func(o, p string) string { return strings.Replace(o, "//", "//x@", 1) + p + "?page=2" }),
		"an empty user name":        own(func(o, p string) string { return strings.Replace(o, "//", "//@", 1) + p + "?page=2" }),
		"our host as user name":     own(func(o, p string) string { return o + "@" + strings.TrimPrefix(evilOrigin, "http://") + p + "?page=2" }),
		"our host as prefix":        own(func(o, p string) string { return o + ".evil.example" + p + "?page=2" }),
		"another list":              fixed(sample.NextPath("/repositories/mallory")),
		"one of its repositories":   fixed(sample.NextPath("/repositories/acme/api-secret")),
		"its branches":              fixed(sample.NextPath("/repositories/acme/api-secret/refs/branches")),
		"another endpoint":          fixed(sample.NextPath("/user")),
		"a slash more":              fixed(sample.NextPath("/repositories/acme/")),
		"dot segments":              fixed(sample.NextPath("/repositories/acme/../mallory")),
		"dot segments to itself":    fixed(sample.NextPath("/repositories/mallory/../acme")),
		"escaped dot segments":      fixed(sample.NextPath("/repositories/acme/%2e%2e/mallory")),
		"an escaped letter":         fixed(sample.NextPath("/repositories/%61cme")),
		"an escaped slash":          fixed(sample.NextPath("/repositories%2Facme")),
		"an escaped question mark":  fixed(sample.NextPath("/repositories/acme%3Fpage=2")),
		"a path parameter":          fixed(sample.NextPath("/repositories/acme;x=1")),
		"a uuid":                    fixed(sample.NextPath("/repositories/%7B1%7D")),
		"without the API's path":    own(func(o, p string) string { return o + "/repositories/acme?page=2" }),
		"no host":                   own(func(o, p string) string { return p + "?page=2" }),
		"no scheme":                 own(func(o, p string) string { return strings.TrimPrefix(o, "http:") + p + "?page=2" }),
		"a query only":              fixed(sample.NextURL("?page=2")),
		"a script":                  fixed(sample.NextURL("javascript:alert(1)")),
		"a file":                    fixed(sample.NextURL("file:///etc/passwd")),
		"no address":                fixed(sample.NextURL("http://[::1")),
		"a line break":              own(func(o, p string) string { return o + p + "?page=2\r\nX: y" }),
		"a backslash":               own(func(o, p string) string { return o + `\@evil.example` + p + "?page=2" }),
		"text":                      fixed(sample.NextURL(leak)),
		"a query of nine kilobytes": own(func(o, p string) string { return o + p + "?page=" + strings.Repeat("x", 9<<10) }),
		"a number":                  fixed(sample.Edited(func(body map[string]any) { body["next"] = 2 })),
		"an object":                 fixed(sample.Edited(func(body map[string]any) { body["next"] = map[string]any{"href": "x"} })),
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			s.client.config.AllowAddress = func(string) bool { return true }
			s.client.http = newHTTPClient(s.client.config.AllowAddress)
			s.Fail(fault(s.api))
			page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 10, Budget: budget()})
			require.ErrorIs(t, err, ErrUnavailable)
			assertDiscreet(t, err)
			assert.Zero(t, page)
			assert.Len(t, s.Journal(), 1)
		})
	}
	evil.AssertNothingSent(t)
}

// The host's case does not matter to Bitbucket, nor does a fragment; only the
// query of a link is ever used.
func TestNextLinksThatAreFollowed(t *testing.T) {
	for name, link := range map[string]func(api string) string{
		"path in another case": func(api string) string { return api + "/repositories/ACME?after=x" },
		"fragment":             func(api string) string { return api + "/repositories/acme?after=x#y" },
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			s.Fail(sample.NextURL(link(s.api)).First(1))
			_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 10, Budget: budget()})
			require.NoError(t, err)
			require.Len(t, s.Journal(), 2)
			assert.Equal(t, "GET /2.0/repositories/acme?after=x", s.lines()[1])
		})
	}
}

func TestLoopsAreFound(t *testing.T) {
	to := func(page string) sample.Fault {
		return sample.Fault{Edit: func(r *http.Request, body map[string]any) {
			query := r.URL.Query()
			query.Set("page", page)
			if page == "" {
				query.Del("page")
			}
			body["next"] = "http://" + r.Host + r.URL.EscapedPath() + "?" + query.Encode()
		}}
	}
	onPage := func(page string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.URL.Query().Get("page") == page }
	}
	for name, test := range map[string]struct {
		opaque bool
		fault  sample.Fault
		most   int // requests
	}{
		"itself":                  {false, sample.NextLoop(), 1},
		"the second is itself":    {false, to("2").When(onPage("2")), 4},
		"the second is the first": {false, to("").When(onPage("2")), 4},
		"the third is the second": {false, to("2").When(onPage("3")), 4},
		"opaque, itself":          {true, sample.NextLoop(), 1},
		"opaque, later":           {true, sample.NextLoop().After(2), 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := inMemory(t, sample.New(sample.Options{OpaqueNext: test.opaque}))
			repositories(t, s.Server, numbered("r", 350)...)
			s.Fail(test.fault)
			_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 1000, Budget: budget()})
			require.ErrorIs(t, err, ErrUnavailable)
			assert.Contains(t, err.Error(), "circle")
			assert.LessOrEqual(t, len(s.Journal()), test.most)
		})
	}
}

// A later call begins within the list, and knows its beginning too.
func TestLoopToTheBeginningIsFoundLater(t *testing.T) {
	s := inMemory(t, sample.New(sample.Options{}))
	repositories(t, s.Server, numbered("r", 350)...)
	s.Fail(sample.Fault{Edit: func(r *http.Request, body map[string]any) {
		query := r.URL.Query()
		query.Del("page")
		body["next"] = "http://" + r.Host + r.URL.EscapedPath() + "?" + query.Encode()
	}})
	_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{From: Position{Page: 2}, Limit: 1000, Budget: budget()})
	require.ErrorIs(t, err, ErrUnavailable)
	assert.Len(t, s.Journal(), 1)
}

// A list of a thousand, at 100 ms for each answer: the first page tells how
// many there are, and the others are fetched side by side. A list whose pages
// have no numbers is read one after the other.
func TestPagesSideBySide(t *testing.T) {
	for name, test := range map[string]struct {
		options sample.Options
		limit   int
		rounds  []int // requests that leave together
	}{
		"all of them":                 {sample.Options{}, 1000, []int{1, 9}},
		"no more pages than wanted":   {sample.Options{}, 300, []int{1, 2}},
		"a row more is a page more":   {sample.Options{}, 301, []int{1, 3}},
		"one page":                    {sample.Options{}, 100, []int{1}},
		"one after the other, opaque": {sample.Options{OpaqueNext: true}, 300, []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, sample.New(test.options))
				repositories(t, s.Server, numbered("r", 1000)...)
				s.SetLatency(100 * time.Millisecond)
				page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: test.limit, Budget: budget()})
				require.NoError(t, err)
				assert.Equal(t, numbered("r", 1000)[:test.limit], slugs(page.Rows))
				var want []time.Duration
				for round, n := range test.rounds {
					want = append(want, slices.Repeat([]time.Duration{time.Duration(round) * 100 * time.Millisecond}, n)...)
				}
				assert.Equal(t, want, s.starts())
			})
		})
	}
}

// Never more than ten at once, and after ten pages it has learned how many
// rows come of a page.
func TestNeverMoreThanTenAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, sample.New(sample.Options{}))
		repositories(t, s.Server, numbered("r", 3000)...)
		s.SetLatency(second)
		_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{ExcludeRepositories: []string{"r...0"}}), ListOptions{Limit: 2000, Budget: budget()})
		require.NoError(t, err)
		rounds := map[time.Duration]int{}
		for _, at := range s.starts() {
			rounds[at]++
		}
		// 2000 rows are 2223 of the 3000, which are 23 pages.
		assert.Equal(t, map[time.Duration]int{0: 1, second: 10, 2 * second: 10, 3 * second: 2}, rounds)
	})
}

// 100 of 1000 without patterns: a page each, and not one request more.
func TestEachCallCostsOneRequest(t *testing.T) {
	for _, limit := range []int{25, 100} {
		s := inMemory(t, sample.New(sample.Options{}))
		repositories(t, s.Server, numbered("r", 1000)...)
		workspace := s.workspace(t, policy.Definition{})
		var from Position
		for call := range 1000 / limit {
			page, err := s.client.Repositories(t.Context(), workspace, ListOptions{From: from, Limit: limit, Budget: budget()})
			require.NoError(t, err)
			require.Equal(t, numbered("r", 1000)[call*limit:][:limit], slugs(page.Rows))
			require.Len(t, s.Journal(), call+1)
			if call == 1000/limit-1 {
				assert.Nil(t, page.Next)
				break
			}
			from = *page.Next
		}
	}
}

// When the budget is spent the list says where to go on, and no request more
// leaves.
func TestBudget(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		for _, pages := range []int{0, 1, 7, 10, 11} {
			t.Run(fmt.Sprintf("%d pages, opaque %t", pages, opaque), func(t *testing.T) {
				s := inMemory(t, sample.New(sample.Options{OpaqueNext: opaque}))
				repositories(t, s.Server, numbered("r", 950)...)
				b := NewBudget(pages)
				workspace := s.workspace(t, policy.Definition{})
				page, err := s.client.Repositories(t.Context(), workspace, ListOptions{Limit: 1000, Budget: b})
				require.NoError(t, err)
				assert.Len(t, s.Journal(), min(pages, 10))
				assert.Equal(t, numbered("r", 950)[:min(pages*100, 950)], slugs(page.Rows))
				assert.Equal(t, pages >= 10, page.Next == nil)
				if page.Next == nil {
					return
				}
				again, err := s.client.Repositories(t.Context(), workspace, ListOptions{From: *page.Next, Limit: 1000, Budget: b})
				require.NoError(t, err)
				assert.Empty(t, again.Rows, "a budget is for all lists of a call")
				assert.Equal(t, page.Next, again.Next)
				rest, err := s.client.Repositories(t.Context(), workspace, ListOptions{From: *page.Next, Limit: 1000, Budget: budget()})
				require.NoError(t, err)
				assert.Equal(t, numbered("r", 950), append(slugs(page.Rows), slugs(rest.Rows)...))
			})
		}
	}
}

// Where a list stops: before the first row that did not fit.
func TestStopPositions(t *testing.T) {
	hundred := 100
	for name, test := range map[string]struct {
		definition policy.Definition
		total      int
		limit      int
		want       *Position
	}{
		"within the first page":             {policy.Definition{Repositories: []string{"r.*"}}, 250, 30, &Position{Offset: 30}},
		"at the end of a page":              {policy.Definition{Repositories: []string{"r.*"}}, 250, 100, &Position{Page: 2}},
		"within a later page":               {policy.Definition{Repositories: []string{"r.*"}}, 250, 130, &Position{Page: 2, Offset: 30}},
		"at the end of a later page":        {policy.Definition{Repositories: []string{"r.*"}}, 250, 200, &Position{Page: 3}},
		"at the end of the list":            {policy.Definition{Repositories: []string{"r.*"}}, 250, 250, nil},
		"at the end, which is a page's end": {policy.Definition{Repositories: []string{"r.*"}}, 200, 200, nil},
		"beyond the end":                    {policy.Definition{Repositories: []string{"r.*"}}, 250, 1000, nil},
		"before a hidden row, not after":    {policy.Definition{Repositories: []string{".*[02468]"}}, 250, 10, &Position{Offset: 19}},
		"nothing wanted":                    {policy.Definition{Repositories: []string{"r.*"}}, 250, 0, &Position{}},
		"no rows":                           {policy.Definition{}, 0, 10, nil},
		"without patterns a page is as long as what is wanted": {policy.Definition{}, 250, hundred / 4, &Position{Page: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			s := inMemory(t, sample.New(sample.Options{}))
			s.AddWorkspace(sample.Workspace{Slug: "acme"})
			repositories(t, s.Server, numbered("r", test.total)...)
			page, err := s.client.Repositories(t.Context(), s.workspace(t, test.definition), ListOptions{Limit: test.limit, Budget: budget()})
			require.NoError(t, err)
			assert.Equal(t, test.want, page.Next)
			assert.Len(t, page.At, len(page.Rows))
		})
	}
}

// What Bitbucket says of a list's size decides only about how much is fetched
// ahead, not about what is returned.
func TestSizeIsNotTrusted(t *testing.T) {
	for name, size := range map[string]any{
		"too large": 100_000, "too small": 1, "none": nil, "zero": 0, "negative": -5, "beyond numbers": 9_000_000_000_000_000_000,
	} {
		t.Run(name, func(t *testing.T) {
			s := inMemory(t, sample.New(sample.Options{}))
			repositories(t, s.Server, numbered("r", 350)...)
			s.Fail(
				sample.Status(404, "no such page").When(func(r *http.Request) bool {
					return len(r.URL.Query().Get("page")) > 1 || r.URL.Query().Get("page") > "4"
				}),
				sample.Edited(func(body map[string]any) { body["size"] = size }),
			)
			page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 1000, Budget: budget()})
			require.NoError(t, err, "a page beyond the end does not matter")
			assert.Equal(t, numbered("r", 350), slugs(page.Rows))
			assert.Nil(t, page.Next)
			assert.LessOrEqual(t, len(s.Journal()), 1+maxAhead)
		})
	}
}

// Where the list changes while it is read side by side, what a page links to
// holds, and not what was planned.
func TestLinksDecideAndNotNumbers(t *testing.T) {
	s := inMemory(t, sample.New(sample.Options{}))
	repositories(t, s.Server, numbered("r", 500)...)
	s.Fail(sample.Fault{
		Match: func(r *http.Request) bool { return r.URL.Query().Get("page") == "2" },
		Edit: func(_ *http.Request, body map[string]any) {
			body["next"] = strings.Replace(body["next"].(string), "page=3", "page=4", 1)
		},
	})
	page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 1000, Budget: budget()})
	require.NoError(t, err)
	assert.Equal(t, slices.Concat(numbered("r", 500)[:200], numbered("r", 500)[300:]), slugs(page.Rows))
	assert.Nil(t, page.Next)
}

// A page that the list leads to and that cannot be read fails the list: half
// of it would look whole.
func TestPageThatFailsFailsTheList(t *testing.T) {
	s := inMemory(t, sample.New(sample.Options{}))
	repositories(t, s.Server, numbered("r", 350)...)
	s.Fail(sample.Status(401, "").When(func(r *http.Request) bool { return r.URL.Query().Get("page") == "3" }))
	page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 1000, Budget: budget()})
	require.ErrorIs(t, err, ErrCredentialRejected)
	assert.Zero(t, page)
}

func TestProgress(t *testing.T) {
	s := inMemory(t, sample.New(sample.Options{}))
	repositories(t, s.Server, numbered("r", 1500)...)
	var told [][2]int
	_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{Repositories: []string{".*"}}), ListOptions{
		Limit: 2000, Budget: budget(), Progress: func(read, of int) { told = append(told, [2]int{read, of}) },
	})
	require.NoError(t, err)
	assert.Equal(t, [][2]int{{1, 11}, {11, 15}}, told)
}

// Whatever the repositories, the patterns, the limit, the kind of pages, the
// budget of each call, what the caller looks for, and wherever an answer is cut
// before it is sent: going on from call to call gives each allowed row exactly
// once, in order, and no call reads more pages than it may.
func TestGoingOnGivesEveryRowOnce(t *testing.T) {
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			g := newWalkGame(t, r)
			assert.Equal(t, g.want(), g.play(t), "%+v", g)
		})
	}
}

type walkGame struct {
	random     *rand.Rand
	site       *site
	rows       []sample.Repository
	definition policy.Definition
	options    ListOptions
	noFilters  bool // Bitbucket refuses q
	pages      int  // budget of each call
}

var gamePatterns = []policy.Definition{
	{},
	{Repositories: []string{"web-.*"}},
	{Repositories: []string{".*-api"}},
	{Repositories: []string{"web-.*", "(?i)LIB.*"}},
	{Repositories: []string{".*"}, ExcludeRepositories: []string{".*1"}},
	{ExcludeRepositories: []string{"web-.*", "lib.*"}},
	{Repositories: []string{"[a-z]+-[0-9]*[02468]"}},
	{Repositories: []string{"nothing"}},
	{Branches: []string{"main"}},
}

func newWalkGame(t *testing.T, r *rand.Rand) *walkGame {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	g := &walkGame{random: r, definition: gamePatterns[r.IntN(len(gamePatterns))], noFilters: r.IntN(5) == 0, pages: 2 + r.IntN(6)}
	g.options = ListOptions{
		Limit: []int{1, 3, 10, 99, 100, 101, 250, 1000}[r.IntN(8)],
		Query: pick("", "", "", "1", "web", "API", "x y", "ü", `"`),
	}
	g.options.Visibility = []Visibility{"", "", Private, Public}[r.IntN(4)]
	g.options.Detail = Detail(r.IntN(3))
	g.site = inMemory(t, sample.New(sample.Options{OpaqueNext: r.IntN(3) == 0}))
	g.site.AddWorkspace(sample.Workspace{Slug: "acme"})
	total := []int{0, 1, 99, 100, 101, 200, 230, 420}[r.IntN(8)]
	if g.options.Limit < 10 {
		total = min(total, 30+r.IntN(20)) // each call may read all pages
	}
	for i := range total {
		row := sample.Repository{Workspace: "acme", Slug: fmt.Sprintf("%s-%d%s", pick("web", "lib", "ops"), i, pick("", "", "-api")), Private: r.IntN(3) > 0}
		row.Name = row.Slug + pick("", " X Y", " ü", ` "quoted"`)
		require.NoError(t, g.site.AddRepository(row))
		g.rows = append(g.rows, row)
	}
	if g.noFilters {
		g.site.Fail(sample.Status(400, `Field "slug" does not support filtering`).When(func(r *http.Request) bool { return r.URL.Query().Has("q") }))
	}
	return g
}

// want is what the scope allows and the caller looks for, in Bitbucket's order.
func (g *walkGame) want() []string {
	matches := func(patterns []string, slug string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return regexp.MustCompile(`\A(?:` + p + `)\z`).MatchString(slug) })
	}
	want := []string{}
	for _, row := range g.rows {
		lower := strings.ToLower(g.options.Query)
		switch {
		case len(g.definition.Repositories) > 0 && !matches(g.definition.Repositories, row.Slug):
		case matches(g.definition.ExcludeRepositories, row.Slug):
		case !strings.Contains(row.Slug, lower) && !strings.Contains(strings.ToLower(row.Name), lower):
		case g.options.Visibility != "" && (g.options.Visibility == Private) != row.Private:
		default:
			want = append(want, row.Slug)
		}
	}
	slices.Sort(want)
	return want
}

func (g *walkGame) play(t *testing.T) []string {
	t.Helper()
	workspace := g.site.workspace(t, g.definition)
	got, o := []string{}, g.options
	for range 2000 {
		o.Budget = NewBudget(g.pages)
		g.site.ResetJournal()
		page, err := g.site.client.Repositories(t.Context(), workspace, o)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Rows), o.Limit)
		require.LessOrEqual(t, len(g.site.Journal()), g.pages)
		kept := len(page.Rows)
		if kept > 1 && g.random.IntN(3) == 0 {
			kept = 1 + g.random.IntN(kept-1) // the answer is cut to its size
			page.Next = &page.At[kept]
		}
		got = append(got, slugs(page.Rows[:kept])...)
		if page.Next == nil {
			return got
		}
		o.From = *page.Next
	}
	t.Fatal("it does not end")
	return nil
}

func TestFollowRefusesWithoutAsking(t *testing.T) {
	w := walk[repositoryJSON]{
		endpoint: endpoint{account: policy.Account{API: DefaultAPI, Workspace: "acme"}, route: routeRepositories},
		query:    url.Values{"sort": {"slug"}, "pagelen": {"100"}},
		seen:     map[string]bool{},
	}
	const list = DefaultAPI + "/repositories/acme"
	for link, want := range map[string]*Position{
		"":                                     nil,
		list + "?sort=slug&pagelen=100&page=2": {Page: 2},
		list + "?page=3&sort=slug&pagelen=100": {Page: 3},
		// What is no plain number of a page of this list is kept as it is.
		list + "?sort=slug&pagelen=100&page=1":    {Query: "sort=slug&pagelen=100&page=1"},
		list + "?sort=slug&pagelen=100&page=8xhd": {Query: "#100,8xhd"}, // the list's own query, and this page
		list + "?sort=slug&pagelen=100&page=8x+d": {Query: "sort=slug&pagelen=100&page=8x+d"},
		list + "?sort=slug&pagelen=5&page=8xhd":   {Query: "sort=slug&pagelen=5&page=8xhd"},
		list + "?page=8xhd":                       {Query: "page=8xhd"},
		list + "?sort=slug&pagelen=100&page=-2":   {Query: "sort=slug&pagelen=100&page=-2"},
		list + "?sort=name&page=2":                {Query: "sort=name&page=2"},
		list + "?page=2":                          {Query: "page=2"},
		list + "?sort=slug&after=x;y":             {Query: "sort=slug&after=x;y"},
	} {
		got, err := w.follow(link)
		require.NoError(t, err, link)
		assert.Equal(t, want, got, link)
	}
}

// A link may be anything: it is refused, or its query is asked of the list
// that is read, and of nothing else.
func FuzzNextLink(f *testing.F) {
	for _, link := range []string{
		DefaultAPI + "/repositories/acme?page=2", "https://api.bitbucket.org@evil.example/2.0/repositories/acme?page=2",
		"HTTPS://API.BITBUCKET.ORG/2.0/repositories/acme?page=2", DefaultAPI + "/repositories/acme?page=2#x", DefaultAPI + "/repositories/acme? HTTP/1.1",
	} {
		f.Add(link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		c := New(Config{Credential: keyFor(DefaultAPI)})
		e := endpoint{account: policy.Account{API: DefaultAPI, Workspace: "acme"}, route: routeRepositories}
		w := walk[repositoryJSON]{client: c, endpoint: e, query: url.Values{"sort": {"slug"}}, seen: map[string]bool{}}
		next, err := w.follow(link)
		if err != nil || next == nil {
			assertDiscreet(t, err)
			return
		}
		req, err := c.newRequest(context.Background(), e, w.rawQuery(*next))
		require.NoError(t, err)
		assert.Equal(t, "api.bitbucket.org", req.URL.Host)
		assert.Equal(t, "https", req.URL.Scheme)
		assert.Equal(t, "/2.0/repositories/acme", req.URL.EscapedPath())
		assert.Nil(t, req.URL.User)
		assert.Empty(t, req.URL.Fragment)
	})
}
