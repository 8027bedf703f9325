package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"bucketgate/policy"
)

// A Probe is what a credential shows of itself when it is tried. An error in
// it is one of this package's, and holds nothing of Bitbucket's text.
type Probe struct {
	List error // of listing the workspace; nil when it can be read
	Sees bool  // the list has a repository

	User    string // display name of the account, cleaned
	UserErr error  // why User is empty; nil also where it was not asked for

	Told    bool     // Bitbucket said which permissions the credential has
	Granted []string // their names, in order; those of a known shape only
	Unknown int      // how many more there are, of a shape that is not known
}

// Probe lists one row of the workspace, and asks who the credential belongs
// to unless the key was refused or nothing answers.
func (c *Client) Probe(ctx context.Context, workspace policy.Unjudged) (Probe, error) {
	list, err := at(routeRepositories, workspace)
	if err != nil {
		return Probe{}, err
	}
	user, err := at(routeUser, workspace)
	if err != nil {
		return Probe{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var p Probe
	listed, err := c.ask(ctx, list, listQuery("slug", "", 1, "values.full_name").Encode(), manner{})
	p.heed(listed.header)
	p.List = err
	if err == nil {
		p.Sees, p.List = readsAsList(listed.body)
	}
	if p.List != nil && !errors.Is(p.List, ErrNotFound) && !errors.As(p.List, new(*MissingPrivileges)) {
		return p, nil
	}
	asked, err := c.ask(ctx, user, url.Values{"fields": {"display_name"}}.Encode(), manner{})
	p.heed(asked.header)
	if p.UserErr = err; err == nil {
		p.User, p.UserErr = readUser(asked.body)
	}
	return p, nil
}

func readsAsList(body []byte) (sees bool, err error) {
	var list page[repositoryJSON]
	if json.Unmarshal(body, &list) != nil || list.Values == nil {
		return false, unavailable("it answered something that is no list")
	}
	return len(*list.Values) > 0, nil
}

const (
	maxPermissions = 128
	maxPermission  = 64
)

// permission is the shape of a permission: of an API token, or of an access
// token. It is close, since a header is somebody's text and its names are
// shown: a key that came back in it must not look like one.
var permission = regexp.MustCompile(`\A(?:(?:read|write|admin|delete|manage):[a-z-]+:bitbucket` +
	`|(?:account|email|team|project|repository|pullrequest|issue|wiki|snippet|webhook|pipeline|runner|test)(?::(?:write|admin|delete|variable))?)\z`)

// heed reads which permissions an answer says that the credential has
// (x-oauth-scopes).
func (p *Probe) heed(header http.Header) {
	names := strings.FieldsFunc(strings.Join(header.Values("X-OAuth-Scopes"), ","), func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 || p.Told {
		return
	}
	p.Told = true
	for _, name := range names[:min(len(names), maxPermissions)] {
		if len(name) <= maxPermission && permission.MatchString(name) {
			p.Granted = append(p.Granted, name)
		} else {
			p.Unknown++
		}
	}
	p.Unknown += max(0, len(names)-maxPermissions)
	slices.Sort(p.Granted)
	p.Granted = slices.Compact(p.Granted)
}

// Lacks returns the permissions that Bitbucket named when it refused the list,
// and whether it was refused for that reason.
func (p Probe) Lacks() (names []string, refused bool) {
	var missing *MissingPrivileges
	if !errors.As(p.List, &missing) {
		return nil, false
	}
	for _, name := range missing.Required {
		if permission.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, true
}
