package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/fairlead/fairlead/internal/model"
)

// takeScript is clients.take, in the server and by its clock. Times are in microseconds; a refusal is below zero.
const takeScript = `
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, ahead, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = tonumber(redis.call('GET', KEYS[1]) or 0)
due = math.min(math.max(due, now), now + ahead + patience)
local wait = math.max(0, due + interval - ahead - now)
if wait > patience then return -math.ceil(wait) end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.2f', due), 'PX', math.ceil((due - now) / 1000))
return math.ceil(wait)`

const (
	redisTimeout = 500 * time.Millisecond // of a command
	redisDial    = time.Second
	redisRetry   = time.Second // how often a server that is away is asked whether it is back
)

// sharedClients are the clients of one rateLimit, counted together with other instances in Redis. While that is away,
// each instance counts for itself, and goes on from what it counted of its own so far: no request fails, and no request
// but those that notice it waits for a server that does not answer.
type sharedClients struct {
	local  *clients
	redis  redis.UniversalClient
	script *redis.Script
	prefix string // of the keys
	of     model.Ref
	log    *slog.Logger

	mu    sync.Mutex
	away  time.Time // since when; zero: it is not
	asked time.Time // when it was last asked whether it is back
	bells sync.WaitGroup
}

// redisKey names what the state of a rateLimit depends on, and tells nothing of the password.
func redisKey(r *model.Redis) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%+v %q", *r, r.Password.Reveal())
	if r.TLS != nil {
		sum := tlsSum(r.TLS)
		_, _ = h.Write(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// newRedisClient makes one that tries each command so many times again.
func newRedisClient(spec *model.Redis, retries int) redis.UniversalClient {
	o := &redis.UniversalOptions{
		Addrs: spec.Endpoints, Username: spec.Username, Password: spec.Password.Reveal(), DB: spec.DB,
		PoolSize: spec.PoolSize, MinIdleConns: spec.MinIdleConns, MaxActiveConns: spec.MaxActiveConns,
		ReadTimeout: cmp.Or(spec.ReadTimeout, redisTimeout), WriteTimeout: cmp.Or(spec.WriteTimeout, redisTimeout),
		DialTimeout: cmp.Or(spec.DialTimeout, redisDial),
		MaxRetries:  retries, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if spec.TLS != nil {
		o.TLSConfig, _ = newTLSConfig("", spec.TLS) // it was tried
	}
	logging.Disable() // each attempt would be told; who asks tells it once
	return redis.NewUniversalClient(o)
}

func newSharedClients(of model.Ref, spec *model.Redis, log *slog.Logger) *sharedClients {
	return &sharedClients{
		local: newClients(), script: redis.NewScript(takeScript), of: of, log: log,
		redis:  newRedisClient(spec, -1), // it is better to count alone at once than to try again
		prefix: "fairlead:rateLimit:" + of.String() + ":",
	}
}

// take counts a request of the client, whose number here is local.
func (s *sharedClients) take(ctx context.Context, client string, local uint64, p pace) (time.Duration, bool) {
	wait, ok := s.local.take(local, p)
	if s.isAway() {
		return wait, ok
	}
	sum := sha256.Sum256([]byte(client)) // of what a stranger sends: it may be long, and is nobody's business
	micros := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	shared, err := s.script.Run(ctx, s.redis, []string{s.prefix + base64.RawURLEncoding.EncodeToString(sum[:15])},
		micros(p.interval), micros(p.ahead), micros(p.patience)).Int64()
	if err != nil {
		if ctx.Err() == nil { // else the client is gone
			s.leave(err)
		}
		return wait, ok
	}
	return time.Duration(int64(math.Abs(float64(shared)))) * time.Microsecond, shared >= 0
}

// isAway reports whether the server is known to be away, and sees to it that it is asked from time to time.
func (s *sharedClients) isAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away.IsZero() {
		return false
	}
	if now := time.Now(); now.Sub(s.asked) >= redisRetry {
		s.asked = now
		s.bells.Go(s.ring)
	}
	return true
}

// ring asks whether the server is back.
func (s *sharedClients) ring() {
	ctx, cancel := context.WithTimeout(context.Background(), redisDial)
	defer cancel()
	if s.redis.Ping(ctx).Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = time.Time{}
	s.log.Info("the Redis of a rate limit is back: instances count together again", "middleware", s.of.String())
}

// leave tells once that the server is away.
func (s *sharedClients) leave(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away.IsZero() {
		s.away = time.Now()
		s.asked = s.away
		s.log.Warn("the Redis of a rate limit is away: each instance counts for itself until it is back",
			"middleware", s.of.String(), "error", err)
	}
}

// problem says that the limits are not what they should be.
func (s *sharedClients) problem() (model.Problem, bool) {
	s.isAway() // whether anybody sends requests or not
	s.mu.Lock()
	defer s.mu.Unlock()
	return model.Problem{
		Object: model.Object{Kind: model.KindMiddleware, Ref: s.of}, Field: "rateLimit.redis", Code: model.Unreachable,
		Message: "the server cannot be reached; each instance counts for itself until it is back", Since: s.away,
	}, !s.away.IsZero()
}

// close ends the connections.
func (s *sharedClients) close() {
	_ = s.redis.Close()
	s.bells.Wait()
}
