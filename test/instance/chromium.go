package instance

// Chromium returns the flags with which it runs without a screen, as whoever the tests are, and asks nobody but this
// machine. localhost is one of its names; all others are unknown.
func Chromium(profile string) []string {
	return []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + profile,
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
		"--disable-sync", "--disable-extensions", "--disable-domain-reliability", "--no-pings",
		"--host-resolver-rules=MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
	}
}
