package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/internal/console"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/secretpage"
	"bucketgate/server"
	"bucketgate/tools"
	"bucketgate/tools/admin"
)

// adminPlaces are the addresses that admins are told.
type adminPlaces struct {
	pages  string // where a browser finds the pages
	agents string // where agents connect
}

// adminWing wires what admins get over HTTP: their tools, the pages of one-time
// links, and the console, which tries scopes with the agents' toolbox.
func (p program) adminWing(ctx context.Context, h *house, at adminPlaces, agents *tools.Toolbox) (*wing, error) {
	service := h.managing(options{linkTTL: h.settings.linkTTL}, h.settings.allowsAPI)
	link := func(token secret.Text, _ time.Time) (string, error) {
		return at.pages + secretpage.Path + token.Reveal(), nil
	}
	toolbox, err := p.adminToolbox(ctx, &h.office, service, link, h.settings.toolPrefix)
	if err != nil {
		return nil, err
	}
	toolbox.Observe = h.countCall
	page, err := secretpage.New(secretpage.Config{Links: service, Log: p.log(), Origins: []string{at.pages}})
	if err != nil {
		return nil, err
	}
	config := console.Config{
		Service: service, Try: h.try(agents), PublicURL: at.pages, AgentURL: at.agents, From: from, Refused: refused,
		Log: p.log(), LinkTTL: h.settings.linkTTL,
	}
	if h.settings.auditHeadFile != "" {
		config.AuditHeads = h.auditHeads
	}
	desk, err := console.New(config)
	if err != nil {
		return nil, err
	}
	pages := http.NewServeMux()
	pages.Handle("/admin/", desk)
	pages.Handle(secretpage.Path, page)
	return &wing{toolbox: toolbox, instructions: admin.Instructions, pages: pages, firstAdmin: desk.FirstAdminLink}, nil
}

// from is where a request for a page comes from.
func from(r *http.Request) string { return server.AddressFrom(r.Context()) }

// refused counts a log-in that the console refused, together with the keys that
// were refused elsewhere.
func refused(r *http.Request) manage.Tally {
	switch flooding, first := server.StrangerFrom(r.Context()).Refused(); {
	case first:
		return manage.FirstOfMany
	case flooding:
		return manage.OneOfMany
	}
	return manage.OneOfFew
}

// try runs a call as an agent that holds one scope would make it, for the
// admin who tries the scope.
func (h *house) try(agents *tools.Toolbox) func(context.Context, string, string, string, json.RawMessage) (json.RawMessage, error) {
	return func(ctx context.Context, admin, scope, tool string, arguments json.RawMessage) (json.RawMessage, error) {
		if err := h.roster.Refresh(ctx); err != nil { // the scope may have been made just now
			return nil, err
		}
		caller := tools.Caller{Name: admin, Role: "admin", Transport: "console", From: server.AddressFrom(ctx), Grant: h.roster.Grant(admin, []string{scope})}
		result := agents.Run(ctx, tools.Request{Caller: caller, Tool: tool, Arguments: arguments})
		return result.Text, nil
	}
}

// auditHeads reads the end of the audit log that is kept beside the database.
func (h *house) auditHeads() (audit.Heads, error) {
	return audit.ReadHeads(h.settings.auditHeadFile, h.store.Keyset())
}

// allowsAPI reports whether admins may give a provider this address beside
// Bitbucket Cloud's.
func (s serveSettings) allowsAPI(api string) bool {
	return slices.Contains(s.allowAPIHosts, strings.ToLower(bitbucket.HostPort(api)))
}
