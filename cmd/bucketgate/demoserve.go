package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/snippets"
	"bucketgate/server"
)

// Names of the demo's records. The scope is the guide's own example.
const (
	demoProvider   = "acme"
	demoCredential = "reader"
	demoScope      = "duplocloud"
)

// demoKeys are the keys of the demo's clients.
type demoKeys struct {
	agent, admin secret.Text
}

// serveDemo sets up what an admin would, in a folder that goes with it, plays a
// few calls, and serves until ctx ends.
func (p program) serveDemo(ctx context.Context, listen string) (err error) {
	folder, err := os.MkdirTemp("", "bucketgate-demo-")
	if err != nil {
		return fmt.Errorf("making a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	bitbucket := newDemoBitbucket()
	api, err := bitbucket.Start("127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting the sample Bitbucket: %w", err)
	}
	defer bitbucket.Close()
	o := options{database: filepath.Join(folder, "bucketgate.db"), masterKeyFile: filepath.Join(folder, "master.key"), linkTTL: manage.DefaultLinkTTL}
	var keys demoKeys
	if err := p.inOffice(ctx, o, func(f *office) error { keys, err = p.furnishDemo(ctx, f, api); return err }); err != nil {
		return fmt.Errorf("setting up the demo: %w", err)
	}
	if err := p.playStored(ctx, o); err != nil {
		return err
	}
	return p.serveAnnounced(ctx, demoSettings(o, listen), func(openings []*opening, s serveSettings) {
		p.printDemo(openings[0].url(s), keys)
	})
}

// furnishDemo makes the guide's records, by the service that makes them
// everywhere.
func (p program) furnishDemo(ctx context.Context, f *office, api string) (keys demoKeys, err error) {
	actor := p.commandLine()
	if _, err := f.CreateProvider(ctx, actor, manage.Provider{Name: demoProvider, Workspace: demoWorkspace, API: api, Description: "Sample data"}); err != nil {
		return keys, err
	}
	credential := manage.Credential{Provider: demoProvider, Name: demoCredential, Username: demoUsername, Key: secret.NewText(demoToken)}
	if _, err := f.CreateCredential(ctx, actor, credential); err != nil {
		return keys, err
	}
	scope := manage.Scope{
		Name: demoScope, Provider: demoProvider, Credential: demoCredential,
		Repositories: []string{demoRepoRegex}, Branches: []string{demoBranchRegex},
	}
	if _, _, err := f.CreateScope(ctx, actor, scope); err != nil {
		return keys, err
	}
	if _, keys.agent, err = f.CreateClient(ctx, actor, manage.Client{Name: "demo-agent", Scopes: []string{demoScope}}); err != nil {
		return keys, err
	}
	_, keys.admin, err = f.CreateClient(ctx, actor, manage.Client{Name: "demo-admin", Role: "admin"})
	return keys, err
}

// playStored plays the demo's calls with the stored scope, as the command line
// would.
func (p program) playStored(ctx context.Context, o options) error {
	s, err := p.storedStation(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(p.playDemo(ctx, s), s.close())
}

func demoSettings(o options, listen string) serveSettings {
	return serveSettings{
		options: o, listen: freeAddress(listen), linkTTL: o.linkTTL,
		limits: server.Limits{PerSecond: server.DefaultPerSecond, Concurrent: server.DefaultConcurrent},
	}
}

// freeAddress returns the address, or one with a free port where somebody
// listens there already: a demo must not fail for that.
func freeAddress(listen string) string {
	listener, err := net.Listen("tcp", listen)
	if err == nil {
		listener.Close()
		return listen
	}
	host, _, splitErr := net.SplitHostPort(listen)
	if splitErr != nil || !errors.Is(err, syscall.EADDRINUSE) {
		return listen // which will fail with words
	}
	return net.JoinHostPort(host, "0")
}

// printDemo says where the demo is to be found, and how clients are told. The
// keys open nothing but this demo, and end with it.
func (p program) printDemo(url string, keys demoKeys) {
	fmt.Fprintf(p.stdout, "\nServing until you press Ctrl-C. All of it is sample data, and goes with this process.\n\n"+
		"  agents  %s/mcp\n          Authorization: Bearer %s\n  admins  %s/admin/mcp\n          Authorization: Bearer %s\n",
		url, keys.agent.Reveal(), url, keys.admin.Reveal())
	for _, s := range snippets.For(snippets.Target{URL: url + "/mcp", Key: keys.agent.Reveal()}) {
		if !demoClients[s.Client] {
			continue
		}
		fmt.Fprintf(p.stdout, "\n%s, %s:\n\n  %s\n", s.Title, s.File, strings.ReplaceAll(s.Text, "\n", "\n  "))
	}
	fmt.Fprintf(p.stdout, "\nThen ask: Can you access Duplocloud repo in bitbucket?\n"+
		"For your own workspace: bucketgate stdio --help, or bucketgate provider create; docs/clients.md has every client.\n")
}

// demoClients are the clients that the demo writes a snippet for.
var demoClients = map[string]bool{"claude-code": true, "vscode": true, "cursor": true, "codex": true, "gemini-cli": true}
