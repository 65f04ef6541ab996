package advert

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// settle is how long we wait for more changes of the network: they come in swarms.
	settle = 100 * time.Millisecond
	// retry is how long we wait when an interface could not be used.
	retry = 30 * time.Second
)

// An Advert tells the LAN about one Service, on every interface that can
// multicast, as interfaces and addresses come and go. There can be one in a
// process at a time.
type Advert struct {
	service Service // but for its Name
	log     *slog.Logger
	renamed chan struct{} // holds one; never closed

	mu   sync.Mutex
	name string // in force

	// Of Run:
	links     map[int]*link // by interface index
	lost      chan *link    // from the links; never closed
	conflicts int
}

// New checks the service. Nothing is said before Run.
func New(s Service, log *slog.Logger) (*Advert, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("advertise: %w", err)
	}
	return &Advert{service: s, log: log, name: s.Name, renamed: make(chan struct{}, 1),
		links: map[int]*link{}, lost: make(chan *link)}, nil
}

// Name is the name in force: the one given, or with a number behind it, such as
// "name (2)", when another host of the link has that.
func (a *Advert) Name() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.name
}

// Rename takes another name. It returns at once; Run says goodbye to the old
// name and announces the new one about a second later.
func (a *Advert) Rename(name string) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	a.mu.Lock()
	a.name = name
	a.mu.Unlock()
	select {
	case a.renamed <- struct{}{}:
	default:
	}
	return nil
}

// Run advertises until ctx is done, then says goodbye and returns nil; that
// takes some milliseconds. Without any network it waits for one. It fails only
// if the kernel does not let it follow the network.
func (a *Advert) Run(ctx context.Context) error {
	w, err := watch()
	if err != nil {
		return err
	}
	defer w.close()
	defer a.endAll()
	timer := time.NewTimer(retry)
	defer timer.Stop()
	for ctx.Err() == nil {
		if !a.reconcile() {
			timer.Reset(retry)
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-a.renamed:
		case l := <-a.lost:
			a.yield(l)
		case <-w.changes:
			a.settle(ctx)
		}
	}
	return nil
}

func (a *Advert) settle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(settle):
	}
}

// reconcile makes the links what interfaces, addresses and name are now, and
// tells whether that worked for all.
func (a *Advert) reconcile() (ok bool) {
	here, err := places()
	if err != nil {
		a.log.Warn("network not followed", "error", err)
		return false
	}
	s := a.service
	s.Name = a.Name()
	ok = true
	seen := map[int]bool{}
	for _, p := range here {
		seen[p.Index] = true
		if l := a.links[p.Index]; l != nil && l.place.same(p) && l.instance == s.Name {
			continue
		}
		if err := a.replace(p, s); err != nil {
			a.log.Warn("not advertised", "interface", p.Name, "error", err)
			ok = false
		}
	}
	for index, l := range a.links {
		if !seen[index] {
			a.log.Info("no longer advertised", "interface", l.Name)
			l.end(false) // nobody would hear a goodbye
			delete(a.links, index)
		}
	}
	return ok
}

// replace opens a link. What the one before it said, and this one does not say,
// is taken back first. After the loss of a name nothing is taken back: its
// records are the other host's now.
func (a *Advert) replace(p place, s Service) error {
	z, err := newZone(s, p.addrs)
	if err != nil {
		return err
	}
	r := newResponder(z, time.Now())
	old := a.links[p.Index]
	if old != nil {
		old.end(false)
		delete(a.links, p.Index)
	}
	if old != nil && old.owner() {
		r.takeBack(old.responder.zone.without(z))
	}
	if old == nil || !old.owner() || old.instance != s.Name {
		r.probeFirst(a.pause())
	}
	l, err := openLink(p, s.Name, r, a.lost, a.log)
	if err != nil {
		return err
	}
	a.links[p.Index] = l
	return nil
}

func (a *Advert) pause() time.Duration {
	if a.conflicts > calmAfter {
		return calmDelay
	}
	return 0
}

// yield ends a link that lost its name, and takes another name, unless that has
// happened already.
func (a *Advert) yield(l *link) {
	l.end(false)
	delete(a.links, l.Index)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.name != l.instance {
		return
	}
	a.conflicts++
	a.name = nextName(a.name)
	a.log.Warn("name is taken by another camera", "interface", l.Name, "name", l.instance, "instead", a.name)
}

func (a *Advert) endAll() {
	for index, l := range a.links {
		l.end(true)
		delete(a.links, index)
	}
}
