package nomad

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	patience = 10 * time.Second // for an answer
	held     = 5 * time.Second  // that an answer may be held back, of that
	silence  = 75 * time.Second // on the stream, where Nomad gives a sign of life each 30 s
	largest  = 64 << 20         // bytes of an answer
	longest  = 16 << 20         // bytes of one line of the stream: all that one change of Nomad's state has changed
)

// client asks one Nomad.
type client struct {
	config *Config
	token  string
	http   *http.Client
}

func dial(c *Config) (*client, error) {
	token, err := c.Token()
	transport := &http.Transport{
		TLSClientConfig: c.TLS, MaxIdleConnsPerHost: together + looks, MaxResponseHeaderBytes: 64 << 10,
		ResponseHeaderTimeout: silence,
	}
	return &client{c, token, &http.Client{
		Transport: transport,
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, err
}

func (c *client) close() { c.http.CloseIdleConnections() }

// open asks a question. The body of the answer is the caller's to close.
func (c *client) open(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	query.Set("namespace", c.config.Namespace)
	if c.config.Region != "" {
		query.Set("region", c.config.Region)
	}
	if c.config.Stale {
		query.Set("stale", "")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Address+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		r.Header.Set("X-Nomad-Token", c.token)
	}
	answer, err := c.http.Do(r)
	if e, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("%s: %w", c.config.Address, e.Err) // the URL differs from question to question
	}
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		line, _, _ := strings.Cut(string(bytes.ToValidUTF8(text, nil)), "\n")
		return nil, errors.Join(&refusal{answer.Status, line}, answer.Body.Close())
	}
	return answer, nil
}

// refusal is an answer that is none.
type refusal struct{ status, text string }

func (r *refusal) Error() string { return fmt.Sprintf("it answers %s: %q", r.status, r.text) }

// get asks a question whose answer is one JSON value, and returns the index of Nomad's state that it was true at.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) (index uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := c.open(ctx, path, query)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, largest+1))
	switch {
	case err != nil:
		return 0, err
	case len(body) > largest:
		return 0, fmt.Errorf("an answer has more than %d MiB", largest>>20)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return 0, fmt.Errorf("the answer to %s is not as Nomad documents it", path)
	}
	index, _ = strconv.ParseUint(answer.Header.Get("X-Nomad-Index"), 10, 64) // checks have none
	return index, nil
}

// services returns the names of the services of the namespace, and the tags of all of their instances.
func (c *client) services(ctx context.Context) (map[string][]string, error) {
	var list []struct {
		Services []struct {
			ServiceName string
			Tags        []string
		}
	}
	if _, err := c.get(ctx, "/v1/services", url.Values{}, &list); err != nil {
		return nil, err
	}
	names := map[string][]string{}
	for _, namespace := range list {
		for _, s := range namespace.Services {
			names[s.ServiceName] = s.Tags
		}
	}
	return names, nil
}

// registration is one instance of a service, as Nomad knows it.
type registration struct {
	ID, ServiceName, AllocID string
	Tags                     []string
	Address                  string
	Port                     int
	CreateIndex, ModifyIndex uint64
}

// instances returns those of a service, as they are at an index of Nomad's state or later.
func (c *client) instances(ctx context.Context, name string, index uint64) ([]registration, error) {
	query := url.Values{}
	if index > 1 {
		query.Set("index", strconv.FormatUint(index-1, 10)) // wait for what is newer
		query.Set("wait", held.String())
	}
	var list []registration
	at, err := c.get(ctx, "/v1/service/"+url.PathEscape(name), query, &list)
	if err == nil && at < index {
		err = fmt.Errorf("what it knows of the service %s is older than its own event", name)
	}
	return list, err
}

// result is what one check of an allocation says.
type result struct {
	Service string
	Status  string // "success", "failure", "pending"
}

// errNotYet says that an allocation has checks of which its Nomad client does not know yet.
var errNotYet = errors.New("the allocation's checks are not set up yet")

// checks returns what the checks of an allocation say. Its Nomad client is asked for it, which registers services a
// moment before it knows of their checks: where it knows of none, the job says whether there are any.
func (c *client) checks(ctx context.Context, allocation string) ([]result, error) {
	byID := map[string]result{}
	_, err := c.get(ctx, "/v1/client/allocation/"+url.PathEscape(allocation)+"/checks", url.Values{}, &byID)
	if err != nil {
		return nil, err
	}
	if len(byID) == 0 {
		return nil, c.checkless(ctx, allocation)
	}
	list := make([]result, 0, len(byID))
	for _, r := range byID {
		list = append(list, r)
	}
	return list, nil
}

// checkless returns errNotYet where the job of an allocation has checks for it.
func (c *client) checkless(ctx context.Context, allocation string) error {
	type services []struct {
		Provider string
		Checks   []struct{}
	}
	var said struct {
		TaskGroup string
		Job       struct {
			TaskGroups []struct {
				Name     string
				Services services
				Tasks    []struct{ Services services }
			}
		}
	}
	if _, err := c.get(ctx, "/v1/allocation/"+url.PathEscape(allocation), url.Values{}, &said); err != nil {
		return err
	}
	for _, group := range said.Job.TaskGroups {
		if group.Name != said.TaskGroup {
			continue
		}
		all := group.Services
		for _, task := range group.Tasks {
			all = append(all, task.Services...)
		}
		for _, s := range all {
			if s.Provider == "nomad" && len(s.Checks) > 0 {
				return errNotYet
			}
		}
	}
	return nil
}

// change is what the stream says: which services are to be read again, at which index of Nomad's state. No service: the
// stream lives.
type change struct {
	services map[string][]string // tags, by name
	index    uint64
}

// stream tells of every change, once at its beginning and then as they come, until ctx is done or it ends.
func (c *client) stream(ctx context.Context, tell func(change)) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(errors.New("the event stream has fallen silent")) })
	defer watchdog.Stop()
	answer, err := c.open(ctx, "/v1/event/stream", url.Values{"topic": {"Service"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, longest)
	for lines.Scan() {
		watchdog.Reset(silence)
		said, err := read(lines.Bytes())
		if err != nil {
			return err
		}
		tell(said)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the event stream ends: %w", err)
	}
	return errors.New("the event stream ends")
}

// read reads one line of the stream. An empty object is a sign of life.
func read(line []byte) (change, error) {
	var said struct {
		Index  uint64
		Events []struct {
			Payload struct{ Service registration }
		}
	}
	if err := json.Unmarshal(line, &said); err != nil {
		return change{}, fmt.Errorf("the event stream ends: %.200q", line)
	}
	services := map[string][]string{}
	for _, e := range said.Events {
		if s := e.Payload.Service; s.ServiceName != "" {
			services[s.ServiceName] = append(services[s.ServiceName], s.Tags...)
		}
	}
	return change{services, said.Index}, nil
}
