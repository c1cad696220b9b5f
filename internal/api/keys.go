package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/access"
)

// KeyOf returns what the API shows of a key at a moment.
func KeyOf(k access.Key, now time.Time) Key {
	shown := Key{
		ID: k.ID, Owner: k.Owner, Scopes: make([]string, 0, len(k.Scopes)), State: k.State(now), Created: k.Created,
		Expires: k.Expires, Revoked: k.Revoked, Rotated: k.Rotated, OverlapUntil: k.Overlap, LastUsed: k.LastUsed,
	}
	for _, s := range k.Scopes {
		shown.Scopes = append(shown.Scopes, string(s))
	}
	return shown
}

func (s *server) listKeys(w http.ResponseWriter, _ *http.Request) error {
	list := List[Key]{[]Key{}}
	for _, k := range s.Keys.List() {
		list.Items = append(list.Items, KeyOf(k, time.Now()))
	}
	return answerFresh(w, http.StatusOK, list)
}

func (s *server) showKey(w http.ResponseWriter, r *http.Request) error {
	k, err := s.Keys.Get(r.PathValue("id"))
	if err != nil {
		return keyProblem(err)
	}
	return answerFresh(w, http.StatusOK, KeyOf(k, time.Now()))
}

func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	var spec KeySpec
	if err := readBody(w, r, &spec); err != nil {
		return err
	}
	presented, key, err := s.Keys.Create(r.Context(), access.Spec(spec))
	if err != nil {
		return keyProblem(err)
	}
	s.Log.Info("a key was created", "key", key.ID, "owner", key.Owner, "scopes", key.Scopes, "by", sessionOf(r).ID())
	w.Header().Set("Location", base+"/keys/"+key.ID)
	return answerFresh(w, http.StatusCreated, IssuedKey{KeyOf(key, time.Now()), presented})
}

func (s *server) rotateKey(w http.ResponseWriter, r *http.Request) error {
	var rotation Rotation
	if err := readBody(w, r, &rotation); err != nil {
		return err
	}
	var overlap time.Duration
	if rotation.Overlap != "" {
		var err error
		if overlap, err = time.ParseDuration(rotation.Overlap); err != nil {
			return problem(http.StatusBadRequest, "overlap: %.80q is no duration such as 24h or 90m", rotation.Overlap)
		}
	}
	id := r.PathValue("id")
	presented, err := s.Keys.Rotate(r.Context(), id, overlap)
	if err != nil {
		return keyProblem(err)
	}
	s.Log.Info("a key was rotated", "key", id, "overlap", overlap, "by", sessionOf(r).ID())
	key, err := s.Keys.Get(id)
	if err != nil {
		return keyProblem(err)
	}
	return answerFresh(w, http.StatusOK, IssuedKey{KeyOf(key, time.Now()), presented})
}

func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := s.Keys.Revoke(r.Context(), id); err != nil {
		return keyProblem(err)
	}
	s.Log.Info("a key was revoked", "key", id, "by", sessionOf(r).ID())
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// keyProblem says what the client may know of why a call failed.
func keyProblem(err error) error {
	switch {
	case errors.Is(err, access.ErrNotFound):
		return problem(http.StatusNotFound, "no such key")
	case errors.Is(err, access.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, "%v", err)
	case errors.Is(err, access.ErrEnded):
		return problem(http.StatusConflict, "%v", access.ErrEnded)
	}
	return err
}
