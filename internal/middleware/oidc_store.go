package middleware

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/model"
)

// errStoreAway: whether somebody is signed in cannot be known.
var errStoreAway = errors.New("the server that sessions are in does not answer")

// renewingFor is how long one instance may take to renew a session, before another tries.
const renewingFor = 30 * time.Second

// slideScript makes a session last longer, unless it has changed or ended meanwhile.
const slideScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

// sharedSessions are in Redis, for all instances that serve the same hosts. A browser has a random name of its session,
// of 130 bits; the key is a hash of that, and the value is sealed as cookies are, for this key. Whoever reads Redis
// finds nothing to sign in with, and nothing of whom it is about. What ends sessions of others is a mark, as in
// endedSessions.
type sharedSessions struct {
	redis   redis.UniversalClient
	slide   *redis.Script
	reach   reach
	prefix  string
	longest atomic.Int64 // of the times that sessions last: marks are good for as long
}

func newSharedSessions(of model.Ref, spec *model.OIDC) *sharedSessions {
	return &sharedSessions{
		redis: newRedisClient(spec.Session.Redis, 1), slide: redis.NewScript(slideScript),
		reach:  reach{of: of, field: "oidc.session.store.redis"},
		prefix: "fairlead:oidc:" + hashed(spec.Issuer+" "+spec.Client.ID) + ":",
	}
}

func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s *sharedSessions) key(kind, name string) string { return s.prefix + kind + ":" + hashed(name) }

// lastFor has marks outlive sessions that last so long.
func (s *sharedSessions) lastFor(d time.Duration) {
	for s != nil {
		longest := s.longest.Load()
		if int64(d) <= longest || s.longest.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

// answered takes down whether Redis did, and returns errStoreAway if not. That there is no such key is an answer.
func (s *sharedSessions) answered(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, redis.Nil) {
		s.reach.note(true)
		return nil
	}
	if ctx.Err() == nil { // else the client is gone
		s.reach.note(false)
	}
	return errStoreAway
}

// reachable is true where there is no store.
func (s *sharedSessions) reachable(ctx context.Context) bool {
	return s == nil || s.answered(ctx, s.redis.Ping(ctx).Err()) == nil
}

// mayRenew is true for one instance at a time: providers take a refresh token that comes twice for a stolen one.
func (s *sharedSessions) mayRenew(ctx context.Context, of *session) bool {
	key := s.key("renewing", strconv.FormatInt(of.Renew, 10)+" "+of.ID)
	ok, err := s.redis.SetNX(ctx, key, 1, renewingFor).Result()
	return err == nil && ok
}

// load reads the session that the browser names.
func (o *oidc) load(ctx context.Context, h http.Header, s *session) error {
	shared, id := o.provider.shared, ""
	for value := range cookieValues(h, o.cookie) {
		id = value
		break
	}
	if len(id) != len(rand.Text()) {
		return errEnded
	}
	key := shared.key("session", id)
	text, err := shared.redis.Get(ctx, key).Result()
	if err := shared.answered(ctx, err); err != nil {
		return err
	}
	if text == "" || !o.session.openText(text, key, s) || s.ID != id {
		return errEnded
	}
	s.stored = text
	return nil
}

// keep has a session that begins be known, and returns what the browser is to keep of it.
func (o *oidc) keep(ctx context.Context, h http.Header, s *session) ([]string, error) {
	shared := o.provider.shared
	if shared == nil {
		cookies, ok := o.session.seal(h, o.cookie, s)
		if !ok {
			return nil, errEnded
		}
		return cookies, nil
	}
	key := shared.key("session", s.ID)
	err := shared.redis.Set(ctx, key, o.session.sealText(key, s), untilEnd(s)).Err()
	return o.named(h, s), shared.answered(ctx, err)
}

// named are the cookies that name a session.
func (o *oidc) named(h http.Header, s *session) []string {
	return append([]string{o.session.line(o.cookie, s.ID, o.session.MaxAge)}, o.session.expireFrom(h, o.cookie, 1)...)
}

func untilEnd(s *session) time.Duration {
	return max(time.Until(time.UnixMilli(s.Ends)), time.Millisecond)
}

// keeper stores a renewed session, if it has not ended meanwhile.
func (o *oidc) keeper() func(*session) error {
	shared := o.provider.shared
	if shared == nil {
		return nil
	}
	return func(s *session) error {
		ctx := context.Background() // the renewal belongs to no request
		key := shared.key("session", s.ID)
		ok, err := shared.redis.SetXX(ctx, key, o.session.sealText(key, s), untilEnd(s)).Result()
		if err := shared.answered(ctx, err); err != nil {
			return err
		}
		if !ok {
			return errEnded
		}
		return nil
	}
}

// slide makes a session last longer that was not just renewed. That somebody else was faster does no harm.
func (o *oidc) slide(r *http.Request, s, current *session, slides bool) (*session, []string, error) {
	if current != s || !slides {
		return current, nil, nil
	}
	shared, next := o.provider.shared, *s
	next.Ends = time.Now().Add(o.expiry).UnixMilli()
	key := shared.key("session", s.ID)
	err := shared.slide.Run(r.Context(), shared.redis, []string{key}, s.stored, o.session.sealText(key, &next),
		untilEnd(&next).Milliseconds()).Err()
	return &next, o.named(r.Header, &next), shared.answered(r.Context(), err)
}

// end has sessions end, here or on all instances.
func (o *oidc) end(ctx context.Context, kind, name string) error {
	shared := o.provider.shared
	if shared == nil {
		o.provider.ended.end(kind, name)
		return nil
	}
	if kind == "id" {
		return shared.answered(ctx, shared.redis.Del(ctx, shared.key("session", name)).Err())
	}
	now, longest := time.Now().UnixMilli(), time.Duration(shared.longest.Load())
	return shared.answered(ctx, shared.redis.Set(ctx, shared.key(kind, name), now, longest).Err())
}

// hasEnded reports whether the provider has ended a session that is still there.
func (o *oidc) hasEnded(ctx context.Context, s *session) (bool, error) {
	shared := o.provider.shared
	if shared == nil {
		return o.provider.ended.has(s), nil
	}
	commands := shared.redis.Pipeline()
	marks := []*redis.StringCmd{
		commands.Get(ctx, shared.key("sid", s.claims.text("sid"))),
		commands.Get(ctx, shared.key("sub", s.claims.text("sub"))),
	}
	_, err := commands.Exec(ctx)
	if err := shared.answered(ctx, err); err != nil {
		return false, err
	}
	for _, mark := range marks {
		if at, err := mark.Int64(); err == nil && at >= s.Begun {
			return true, nil
		}
	}
	return false, nil
}

// refuseForNow is for what needs the store, which is away: nobody is let in whose session may have ended.
func refuseForNow(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	refuse(w, http.StatusServiceUnavailable, "auth_unreachable")
}
