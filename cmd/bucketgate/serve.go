package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/metrics"
	"bucketgate/server"
	"bucketgate/tools"
	"bucketgate/tools/agent"
)

// A house is everything that serve works with, on one open database.
type house struct {
	office
	settings   serveSettings
	roster     *manage.Roster
	doorkeeper *manage.Doorkeeper
	metrics    *metrics.Metrics
	stop       context.CancelFunc // what keeps roster and doorkeeper up to date
}

// A wing is what one side over HTTP offers.
type wing struct {
	toolbox      *tools.Toolbox
	instructions string
	pages        http.Handler // beside MCP, with a log-in of its own; may be nil

	// firstAdmin returns a link that makes the first admin, "" where there is
	// one; may be nil.
	firstAdmin func(context.Context) (string, error)
}

// serve answers until ctx ends, and what was begun until it is done.
func (p program) serve(ctx context.Context, s serveSettings) error {
	return p.serveAnnounced(ctx, s, p.announce)
}

// serveAnnounced is serve for who says in another way where it is.
func (p program) serveAnnounced(ctx context.Context, s serveSettings, announce func([]*opening, serveSettings)) (err error) {
	openings, err := s.open()
	if err != nil {
		return err
	}
	defer closeAll(openings)
	h, err := p.openHouse(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	sites, firstAdmin, err := p.sites(h, openings)
	if err != nil {
		return err
	}
	announce(openings, s)
	if err := p.invite(ctx, firstAdmin); err != nil {
		return err
	}
	return serveAll(ctx, openings, sites)
}

// serveAll serves on every listener, and ends all when one fails.
func serveAll(ctx context.Context, openings []*opening, sites []*server.HTTP) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make([]error, len(openings))
	var done sync.WaitGroup
	for i, o := range openings {
		done.Go(func() {
			defer cancel()
			failed[i] = sites[i].Serve(ctx, o)
		})
	}
	done.Wait()
	return errors.Join(failed...)
}

// openHouse opens the database and what is made of it. It outlives ctx: while
// running calls are awaited, changes count as before.
func (p program) openHouse(ctx context.Context, s serveSettings) (_ *house, err error) {
	db, err := p.openStore(ctx, s.options)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &house{settings: s, stop: stop}
	h.store = db
	defer func() {
		if err != nil {
			stop()
			err = errors.Join(err, db.Close())
		}
	}()
	if h.roster, err = manage.NewRoster(ctx, db, p.log()); err != nil {
		return nil, err
	}
	if h.doorkeeper, err = manage.NewDoorkeeper(ctx, db, p.log()); err != nil {
		return nil, err
	}
	if h.audit, err = p.openAuditWriter(ctx, db, s.options, p.log()); err != nil {
		return nil, err
	}
	h.count()
	return h, nil
}

// count begins the numbers of /metrics.
func (h *house) count() {
	h.metrics = metrics.New(version())
	h.metrics.Gauge("bucketgate_audit_events_waiting", "Events of calls that are accepted and not yet written.", func() float64 { return float64(h.audit.Waiting()) })
	h.metrics.Gauge("bucketgate_audit_failing", "1 while the audit log cannot be written, so that calls are refused.", func() float64 {
		if h.audit.Err() != nil {
			return 1
		}
		return 0
	})
	h.metrics.Gauge("bucketgate_broken_scopes", "Stored scopes that cannot be used as they stand.", func() float64 { return float64(len(h.roster.Broken())) })
}

func (h *house) countCall(o tools.Outcome) { h.metrics.Called(o.Role, o.Tool, o.Code, o.Took) }

func (h *house) close() error {
	h.stop()
	return h.office.close()
}

// agentWing is what agents get.
func (p program) agentWing(h *house) (*wing, error) {
	_, toolbox, err := p.agentToolbox(context.Background(), &h.office, h.roster, h.settings.options, h.metrics.Asked)
	if err != nil {
		return nil, err
	}
	toolbox.Observe = h.countCall
	return &wing{toolbox: toolbox, instructions: agent.Instructions}, nil
}

// agentToolbox returns the tools of an agent on stored scopes, and the client
// behind them. observe, if any, is told of each request to Bitbucket.
func (p program) agentToolbox(ctx context.Context, f *office, roster *manage.Roster, o options, observe func(status int, took time.Duration)) (*bitbucket.Client, *tools.Toolbox, error) {
	cursors, err := f.cursors()
	if err != nil {
		return nil, nil, err
	}
	client := bitbucket.New(bitbucket.Config{Credential: roster.Credential, AllowAddress: roster.AllowAddress, UserAgent: userAgent(), Observe: observe})
	return client, &tools.Toolbox{
		Tools: agent.Tools(client), Prompts: agent.Prompts(), Cursors: cursors, Log: p.log(), Prefix: o.toolPrefix,
		Record: f.recorder(ctx),
	}, nil
}

// sites returns an HTTP server for each listener.
func (p program) sites(h *house, openings []*opening) (sites []*server.HTTP, firstAdmin func(context.Context) (string, error), err error) {
	agents, err := p.agentWing(h)
	if err != nil {
		return nil, nil, err
	}
	admins, firstAdmin, err := p.adminSide(h, openings, agents)
	if err != nil {
		return nil, nil, err
	}
	sessionKey, err := h.store.Keyset().Derive("sessions", 32)
	if err != nil {
		return nil, nil, err
	}
	agentSide := p.side(h, "agent", "", agents)
	for _, o := range openings {
		config := h.httpConfig(p, o)
		config.SessionKey = sessionKey
		if o.agents {
			config.Sides = append(config.Sides, agentSide)
		}
		if o.admin {
			config.Sides = append(config.Sides, admins)
		}
		sites = append(sites, server.NewHTTP(config))
	}
	return sites, firstAdmin, nil
}

// adminSide returns the admin's side, the zero one where no listener has it.
func (p program) adminSide(h *house, openings []*opening, agents *wing) (server.Side, func(context.Context) (string, error), error) {
	at := slices.IndexFunc(openings, func(o *opening) bool { return o.admin })
	if at < 0 {
		return server.Side{}, nil, nil
	}
	// Agents may have another listener than admins.
	agentsAt := openings[slices.IndexFunc(openings, func(o *opening) bool { return o.agents })]
	w, err := p.adminWing(context.Background(), h, adminPlaces{openings[at].url(h.settings), agentsAt.url(h.settings)}, agents.toolbox)
	if err != nil {
		return server.Side{}, nil, err
	}
	side := p.side(h, "admin", "/admin", w)
	side.Metrics = h.metrics.Handler()
	return side, w.firstAdmin, nil
}

// invite prints the link that makes the first admin, where there is none yet.
func (p program) invite(ctx context.Context, firstAdmin func(context.Context) (string, error)) error {
	if firstAdmin == nil {
		return nil
	}
	link, err := firstAdmin(ctx)
	if err != nil || link == "" {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "There is no admin yet. This link makes the first one; it works once, for a short while:\n  %s\n", link)
	return err
}

func (p program) side(h *house, role, path string, w *wing) server.Side {
	return server.Side{Path: path, Role: role, Pages: w.pages, Server: server.New(server.Config{
		Name: "bucketgate", Version: version(), Instructions: w.instructions, Toolbox: w.toolbox, Log: p.log(), Caller: h.caller,
	})}
}

// caller asks at each call what its client holds now.
func (h *house) caller(ctx context.Context) tools.Caller {
	p := server.PrincipalFrom(ctx)
	return tools.Caller{
		Name: p.Name, Role: p.Role, Transport: p.Transport, From: server.AddressFrom(ctx),
		Grant: h.roster.Grant(p.Name, h.doorkeeper.Scopes(manage.Entrant{Name: p.Name, Role: p.Role})),
	}
}

func (h *house) httpConfig(p program, o *opening) server.HTTPConfig {
	return server.HTTPConfig{
		Log: p.log(), Authenticate: h.authenticate, Refused: h.recordRefusal, Ready: h.ready,
		Hosts: o.hosts(), Loopback: o.loopback(), PublicURL: h.settings.publicURL,
		AllowOrigins: h.settings.allowOrigins, TrustedProxies: h.settings.trustedProxies, Limits: h.settings.limits,
	}
}

func (h *house) authenticate(ctx context.Context, key string) (server.Principal, error) {
	entrant, err := h.doorkeeper.Admit(ctx, key)
	var refused *manage.KeyRefused
	if errors.As(err, &refused) {
		return server.Principal{}, &server.KeyRefused{Client: refused.Client, Role: refused.Role, Reason: refused.Reason}
	}
	return server.Principal{Name: entrant.Name, Role: entrant.Role}, err
}

// recordRefusal writes down a request that did not get as far as a tool.
func (h *house) recordRefusal(ctx context.Context, r server.Refusal) error {
	h.metrics.Refused(r.Transport)
	return h.audit.Commit(ctx, audit.Event{
		ID: audit.NewID(), Time: time.Now().UTC(), Caller: r.Client, Role: r.Role, Transport: r.Transport, From: r.From,
		Tool: "http", Target: r.Target, Decision: audit.Denied, Reason: r.Reason,
	})
}

const readyTime = 5 * time.Second

// ready says whether the database answers and the audit log is written.
func (h *house) ready(ctx context.Context) (broken int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if _, err := h.store.LastAudit(ctx, auditWriter); err != nil {
		return 0, fmt.Errorf("asking the database: %w", err)
	}
	if err := h.audit.Err(); err != nil {
		return 0, err
	}
	return len(h.roster.Broken()), h.doorkeeper.Err()
}

// announce says where the server is to be found.
func (p program) announce(openings []*opening, s serveSettings) {
	for _, o := range openings {
		if o.agents {
			fmt.Fprintf(p.stdout, "agents: %s/mcp\n", o.url(s))
		}
		if o.admin {
			fmt.Fprintf(p.stdout, "admins: %s/admin/mcp and in a browser %s/admin/\n", o.url(s), o.url(s))
		}
	}
}
