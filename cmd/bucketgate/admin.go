package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
	"bucketgate/tools"
	"bucketgate/tools/admin"
)

// addressTime is how long the question may take whether an address was named.
const addressTime = 5 * time.Second

// A linkURL returns the address of the page of a one-time link.
type linkURL func(token secret.Text, expires time.Time) (string, error)

// adminStation wires the tools of an admin for the local user: whoever runs
// the program with this database and its master key.
func (p program) adminStation(ctx context.Context, o options) (*station, error) {
	if len(o.scopes) > 0 {
		return nil, fmt.Errorf("%w: --admin manages all scopes; leave --scope out", errUsage)
	}
	if o.auditFile != "" {
		return nil, errAuditFile
	}
	f, err := p.openOffice(ctx, o)
	if err != nil {
		return nil, err
	}
	service := f.managing(o, nil)
	links := newLinkListener(service, p.log())
	link := linkURL(links.url)
	if o.oneCall {
		link = nil
	}
	toolbox, err := p.adminToolbox(ctx, f, service, link, o.toolPrefix)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return &station{
		admin: true, toolbox: toolbox,
		grant: func() policy.Grant { return policy.Grant{} }, // an admin's right is no scope
		close: func() error { links.close(); return f.close() },
	}, nil
}

// managing is the service for those who manage over a transport: over stdio, or
// many over HTTP. allowAPI says which addresses beside Bitbucket Cloud's they
// may name; nil is none.
func (f *office) managing(o options, allowAPI func(api string) bool) *manage.Service {
	return manage.New(manage.Config{Store: f.store, Audit: f.audit, Client: f.client(), AllowAPI: allowAPI, LinkTTL: o.linkTTL})
}

// adminToolbox is the toolbox of every admin of this database: who calls is
// said with each call. link may be nil, where no page can be served.
func (p program) adminToolbox(ctx context.Context, f *office, service *manage.Service, link linkURL, prefix string) (*tools.Toolbox, error) {
	cursors, err := f.cursors()
	if err != nil {
		return nil, err
	}
	return &tools.Toolbox{
		Tools: admin.Tools(admin.Config{Service: service, LinkURL: link}), Cursors: cursors, Log: p.log(), Prefix: prefix,
		Record: f.recorder(ctx),
	}, nil
}

// client asks Bitbucket with the stored credentials, as they are when it asks.
func (f *office) client() *bitbucket.Client {
	return bitbucket.New(bitbucket.Config{
		Credential: func(ctx context.Context, id string) (bitbucket.Credential, error) {
			return manage.OpenCredential(ctx, f.store, id)
		},
		AllowAddress: f.namedAddress,
		UserAgent:    userAgent(),
	})
}

// namedAddress reports whether an address may be dialled although it is
// private: a stored provider's own was named on purpose, which took the command
// line or the server's word. It is asked when a connection is made, and what
// cannot be read is no yes.
func (f *office) namedAddress(hostPort string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), addressTime)
	defer cancel()
	var providers []store.Provider
	err := f.store.View(ctx, func(tx *store.Tx) (err error) { providers, err = tx.Providers(); return err })
	if err != nil {
		return false
	}
	for _, provider := range providers {
		if provider.API != bitbucket.DefaultAPI && bitbucket.HostPort(provider.API) == hostPort {
			return true
		}
	}
	return false
}
