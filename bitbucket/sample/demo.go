package sample

import (
	"fmt"
	"strings"
	"time"
)

// Demo returns a server with the demo data: the workspace acme with 61
// repositories. Seven of their slugs begin with duplocloud-, and one more is
// duplocloud itself, with the display name Duplocloud, where the pull requests
// and pipelines are. The workspace northwind has a fork of it. The data is made
// up, and every description says so.
func Demo(o Options) *Server {
	s := New(o)
	s.AddWorkspace(Workspace{Slug: "acme", Name: "Acme (sample data)"})
	for i, line := range strings.Split(strings.TrimSpace(demoRepositories), "\n") {
		s.plant(demoRepository(i, line), demoBranches[i%len(demoBranches)])
	}
	s.demoWork()
	return s
}

// The columns: name, project, language, private or public, and after the bar
// the description; a fork names its parent's slug with < after that.
const demoRepositories = `
Duplocloud           PLAT go         private | Entry point of the platform team, with its runbooks
duplocloud-api       PLAT go         private | Control plane API
duplocloud-portal    PLAT typescript private | Web portal of the control plane
duplocloud-agent     PLAT go         private | Node agent
duplocloud-terraform PLAT hcl        private | Terraform modules for tenants
duplocloud-helm      PLAT            private | Helm charts
duplocloud-docs      PLAT            public  | Public documentation
duplocloud-sdk       PLAT python     public  | Python client of the control plane
checkout-api         SHOP go         private | Checkout service
checkout-web         SHOP typescript private | Checkout pages
checkout-api-sandbox SHOP go         private | Fork to try things out in < checkout-api
cart-service         SHOP java       private | Shopping cart
catalog-service      SHOP java       private | Product catalog
catalog-importer     SHOP python     private | Imports suppliers' price lists
search-service       SHOP go         private | Product search
search-relevance     SHOP python     private | Ranking experiments
pricing-engine       SHOP kotlin     private | Prices and discounts
promotions           SHOP kotlin     private | Vouchers and campaigns
storefront           SHOP typescript private | Storefront
storefront-theme     SHOP css        public  | Theme of the storefront
mobile-ios           APPS swift      private | App for iPhone
mobile-android       APPS kotlin     private | App for Android
mobile-shared        APPS kotlin     private | Code shared by both apps
design-system        APPS typescript public  | Components and tokens
design-system-fork   APPS typescript private | Fork with the holiday theme < design-system
payments-gateway     PAY  go         private | Card payments
payments-ledger      PAY  go         private | Double-entry ledger
payments-risk        PAY  python     private | Fraud scoring
invoicing            PAY  java       private | Invoices
billing-reports      PAY  python     private | Monthly reports
subscriptions        PAY  ruby       private | Recurring orders
refunds              PAY  go         private | Refund workflow
warehouse-api        LOG  go         private | Stock levels
warehouse-scanner    LOG  c#         private | Handheld scanner app
shipping-labels      LOG  python     private | Labels of all carriers
route-planner        LOG  rust       private | Delivery routes
tracking-page        LOG  typescript private | Where is my parcel
returns-portal       LOG  typescript private | Returns
data-platform        DATA scala      private | Batch jobs
data-contracts       DATA            private | Schemas of events
event-bus            DATA go         private | Event relay
metrics-dashboards   DATA            private | Dashboards as code
ml-recommendations   DATA python     private | Recommendations
notebooks            DATA            private | Analysts' notebooks
identity             SEC  go         private | Sign-in and tokens
identity-web         SEC  typescript private | Sign-in pages
secrets-broker       SEC  rust       private | Short-lived credentials
policy-bundles       SEC             private | Access rules
audit-trail          SEC  go         private | Audit events
security-advisories  SEC             public  | Published advisories
infra-network        OPS  hcl        private | Networks
infra-clusters       OPS  hcl        private | Clusters
infra-dns            OPS  hcl        private | Zones
ci-images            OPS  dockerfile private | Build images
ci-templates         OPS             private | Pipeline templates
release-tools        OPS  go         private | Release helpers
runbooks             OPS             private | What to do at three in the morning
status-page          OPS  typescript public  | Status page
handbook             HR              private | Employee handbook
careers-site         HR   typescript public  | Job openings
Old Monolith         OPS  php        private | Read-only since the split
`

// demoProjects are the names of the projects by key.
var demoProjects = map[string]string{
	"PLAT": "Platform", "SHOP": "Shop", "APPS": "Apps", "PAY": "Payments", "LOG": "Logistics",
	"DATA": "Data", "SEC": "Security", "OPS": "Operations", "HR": "People",
}

// demoBranches are dealt out in turn; the first of a set is the default branch.
var demoBranches = [][]string{
	{"main", "develop", "feature/faster-start", "feature/login-form", "release/2.4", "hotfix/2.4.1"},
	{"main", "develop", "feature/retry-uploads", "release/1.9"},
	{"main", "feature/dark-mode"},
	{"main", "develop", "hotfix/null-price"},
	{"main"},
}

func demoRepository(i int, line string) Repository {
	columns, description, _ := strings.Cut(line, " | ")
	description, parent, fork := strings.Cut(description, " < ")
	r := Repository{
		Workspace: "acme",
		Name:      strings.TrimSpace(columns[:21]),
		// Cut as columns because a language may be missing.
		ProjectKey:    strings.TrimSpace(columns[21:26]),
		Language:      strings.TrimSpace(columns[26:37]),
		Private:       strings.TrimSpace(columns[37:]) == "private",
		Description:   description + " (sample data).",
		DefaultBranch: "main",
		CreatedOn:     firstDay.AddDate(0, 0, 9*i),
		UpdatedOn:     firstDay.AddDate(4, 0, 7*i%365).Add(time.Duration(i) * 11 * time.Minute),
	}
	r.ProjectName = demoProjects[r.ProjectKey]
	if fork {
		r.ParentFullName = "acme/" + parent
	}
	return r
}

// demoAuthors take turns.
var demoAuthors = []string{
	"Ada Example <ada@acme.example>", "Ben Example <ben@acme.example>",
	"Chris Example <chris@acme.example>", "Dana Example <dana@acme.example>",
}

// plant adds a repository whose default branch has three commits, and each
// other branch one more. A fork begins with the default branch of what it is a
// fork of, and one commit. It panics on a mistake in the data of this package.
func (s *Server) plant(r Repository, branches []string) {
	must(s.AddRepository(r))
	r = s.withDefaults(r)
	commit := func(n int, message string, files func() map[string]File, parents ...string) string {
		hash, err := s.AddCommit(r.Workspace, r.Slug, Commit{
			Parents: parents, Message: message, drawn: files,
			Author: demoAuthors[(n+len(r.Slug))%len(demoAuthors)],
			Date:   r.UpdatedOn.Add(time.Duration(n-len(branches)-3) * time.Hour).Truncate(time.Second),
		})
		must(err)
		return hash
	}
	head := ""
	if workspace, slug, fork := strings.Cut(r.ParentFullName, "/"); fork {
		var err error
		head, err = s.Head(workspace, slug, r.DefaultBranch)
		must(err)
		head = commit(2, "Begin "+r.Name+"\n", func() map[string]File { return forked(r) }, head)
	} else {
		head = commit(0, "Begin "+r.Name+"\n", func() map[string]File { return begun(r) })
		head = commit(1, "Add a README\n", func() map[string]File { return described(r) }, head)
		head = commit(2, "Set up the pipeline\n", func() map[string]File { return built(r) }, head)
	}
	must(s.SetBranch(r.Workspace, r.Slug, branches[0], head))
	must(s.SetTag(r.Workspace, r.Slug, Tag{Name: "v1.0", Hash: head, Message: "First release\n", Tagger: demoAuthors[0]}))
	for i, name := range branches[1:] {
		files := func() map[string]File { return worked(r, name) }
		must(s.SetBranch(r.Workspace, r.Slug, name, commit(i+3, fmt.Sprintf("Work on %s\n", name), files, head)))
	}
}

// must is for the data of this package only: a mistake there is a programmer's.
func must(err error) {
	if err != nil {
		panic("sample: " + err.Error())
	}
}
