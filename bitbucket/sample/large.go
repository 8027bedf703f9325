package sample

import (
	"fmt"
	"time"
)

// largeShare is how many of a thousand repositories of Large begin with
// duplocloud-.
const largeShare = 57

// Large returns a server whose workspace acme has n repositories, for
// benchmarks. Of each thousand 57 have a slug that begins with duplocloud-,
// spread evenly over the order in which they were added. The names are the
// same in every run, and in no order that sorting would give.
func Large(o Options, n int) *Server {
	s := New(o)
	s.AddWorkspace(Workspace{Slug: "acme", Name: "Acme (sample data)"})
	marked := 0
	for i := range n {
		slug := ""
		if (i+1)*largeShare/1000 > i*largeShare/1000 {
			slug = "duplocloud-" + largeName(marked)
			marked++
		} else {
			slug = largeName(i - marked)
		}
		s.plant(largeRepository(i, slug), largeBranches[i%len(largeBranches)])
	}
	return s
}

var (
	largeSubjects = []string{
		"billing", "search", "storefront", "identity", "warehouse", "checkout", "pricing", "catalog",
		"shipping", "returns", "reports", "payments", "alerts", "profile", "media", "orders",
		"inventory", "loyalty", "support", "tracking", "invoices", "gateway", "events", "metrics",
		"tenants", "consent", "planner", "vouchers", "routing", "archive", "exports", "contracts",
	}
	largeParts = []string{
		"api", "web", "worker", "docs", "infra", "client", "admin", "jobs", "schema", "tests",
		"mobile", "sdk", "proxy", "importer", "charts", "images", "config", "reports-v2", "sync", "cli",
		"model", "theme", "bridge", "console", "agent", "cache", "lambda", "migrations", "scripts", "poc", "tools",
	}
	largeLanguages = []string{"go", "typescript", "java", "python", "kotlin", "hcl", ""}
	largeProjects  = []string{"PLAT", "SHOP", "PAY", "DATA", "OPS"}
	largeBranches  = [][]string{{"main", "develop"}, {"main"}, {"main", "feature/sample"}}
)

// largeName is the i-th of the names subject-part. There are 31 parts, and 31
// has no divisor in common with the 32 subjects: going round both at once
// meets every pair once before the names start over with a number.
func largeName(i int) string {
	name := largeSubjects[i%len(largeSubjects)] + "-" + largeParts[i%len(largeParts)]
	if round := i / (len(largeSubjects) * len(largeParts)); round > 0 {
		name += fmt.Sprintf("-%d", round+1)
	}
	return name
}

func largeRepository(i int, slug string) Repository {
	return Repository{
		Workspace: "acme", Slug: slug, Private: i%9 != 0,
		Description:   "The " + slug + " repository of a made-up company (sample data).",
		Language:      largeLanguages[i%len(largeLanguages)],
		ProjectKey:    largeProjects[i%len(largeProjects)],
		DefaultBranch: "main",
		CreatedOn:     firstDay.Add(time.Duration(i) * time.Hour),
		UpdatedOn:     firstDay.AddDate(3, 0, 0).Add(time.Duration(i*7919%8760) * time.Hour),
	}
}
