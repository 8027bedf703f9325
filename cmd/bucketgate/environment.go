package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"bucketgate/bitbucket"
	"bucketgate/internal/secret"
	"bucketgate/policy"
)

// environmentScope is the name of the one scope of the mode without set-up.
const environmentScope = "environment"

// The variables of the mode without set-up.
const (
	varWorkspace   = "BITBUCKET_WORKSPACE"
	varToken       = "BITBUCKET_API_TOKEN"
	varUsername    = "BITBUCKET_USERNAME"
	varRepoRegex   = "BITBUCKET_REPO_REGEX"
	varBranchRegex = "BITBUCKET_BRANCH_REGEX"
	varAPI         = "BITBUCKET_API_URL"
)

// An environment is one scope and its credential, read from variables.
type environment struct {
	scope      policy.Scope
	credential bitbucket.Credential
	explicit   bool // the address was set by whoever runs the program
}

var errNoEnvironment = errors.New(varWorkspace + " is not set")

// readEnvironment reads the scope from the six variables. A value that is
// empty, or that the client passed on unexpanded, is an error and never "no
// limit". errNoEnvironment says that the mode does not hold.
func readEnvironment(lookup func(string) (string, bool)) (environment, error) {
	values, err := readVariables(lookup)
	if err != nil {
		return environment{}, err
	}
	if values[varWorkspace] == "" {
		return environment{}, errNoEnvironment
	}
	if err := checkToken(values); err != nil {
		return environment{}, err
	}
	api, explicit := values[varAPI], values[varAPI] != ""
	if !explicit {
		api = bitbucket.DefaultAPI
	}
	if api, err = bitbucket.ParseAPI(api); err != nil {
		return environment{}, fmt.Errorf("%s: %w", varAPI, err)
	}
	scope, err := policy.Compile(policy.Definition{
		Name: environmentScope, API: api, Workspace: values[varWorkspace], Credential: environmentScope,
		Repositories: oneOrNone(values[varRepoRegex]), Branches: oneOrNone(values[varBranchRegex]),
		Actions: []policy.Action{policy.Read},
	})
	if err != nil {
		return environment{}, nameVariable(err)
	}
	return environment{
		scope:      scope,
		credential: bitbucket.Credential{API: api, Username: values[varUsername], APIKey: secret.NewText(values[varToken])},
		explicit:   explicit && api != bitbucket.DefaultAPI,
	}, nil
}

var unexpanded = regexp.MustCompile(`\$\{[^}]*\}`)

func readVariables(lookup func(string) (string, bool)) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range []string{varWorkspace, varToken, varUsername, varRepoRegex, varBranchRegex, varAPI} {
		value, set := lookup(name)
		switch {
		case !set:
			continue
		case strings.TrimSpace(value) == "":
			return nil, fmt.Errorf("%s is set but empty; %s", name, whenUnwanted(name))
		case unexpanded.MatchString(value):
			return nil, fmt.Errorf("%s still reads ${…}: the client that started this program did not put the value in; set it there, or %s", name, whenUnwanted(name))
		case name != varRepoRegex && name != varBranchRegex && strings.ContainsFunc(value, isBlankOrControl):
			return nil, fmt.Errorf("%s holds a space or a control character; set it to the bare value", name)
		}
		values[name] = value
	}
	return values, nil
}

func isBlankOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// whenUnwanted says how to do without a variable.
func whenUnwanted(name string) string {
	switch name {
	case varWorkspace:
		return "set it to the slug of your Bitbucket workspace"
	case varToken:
		return "set it to an API token or an access token"
	case varUsername:
		return "set it to the Atlassian account's email, or leave the variable out for an access token"
	case varAPI:
		return "leave the variable out for " + bitbucket.DefaultAPI
	}
	return "for all names leave the variable out, or write .*"
}

// checkToken refuses what Bitbucket would refuse later and less clearly.
func checkToken(values map[string]string) error {
	token, username := values[varToken], values[varUsername]
	switch {
	case token == "":
		return fmt.Errorf("%s is not set; %s", varToken, whenUnwanted(varToken))
	case strings.HasPrefix(token, "ATBB"):
		return fmt.Errorf("%s is an app password, which Bitbucket has not taken since 2026-07-28; create an API token instead and set %s to the account's email", varToken, varUsername)
	case strings.HasPrefix(token, "ATATT") && username == "":
		return fmt.Errorf("%s is an API token, which needs %s: the email of the Atlassian account", varToken, varUsername)
	case strings.Contains(username, ":"):
		return fmt.Errorf("%s holds a ':', which no email has", varUsername)
	}
	return nil
}

func oneOrNone(pattern string) []string {
	if pattern == "" {
		return nil
	}
	return []string{pattern}
}

// nameVariable says which variable a mistake in the scope came from.
func nameVariable(err error) error {
	var pattern *policy.InvalidPattern
	var name *policy.InvalidName
	switch {
	case errors.As(err, &pattern) && pattern.Field == "branches":
		return fmt.Errorf("%s: %w", varBranchRegex, err)
	case errors.As(err, &pattern):
		return fmt.Errorf("%s: %w", varRepoRegex, err)
	case errors.As(err, &name):
		return fmt.Errorf("%s: %w", varWorkspace, err)
	}
	return err
}

// warnings returns the linter's words, each with the variable it speaks of.
func (e environment) warnings() []string {
	var lines []string
	for _, w := range e.scope.Warnings() {
		name := varRepoRegex
		if w.Field == "branches" {
			name = varBranchRegex
		}
		lines = append(lines, fmt.Sprintf("%s: %s %s", name, w.Pattern, w.Words))
	}
	return lines
}
