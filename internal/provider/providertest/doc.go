// Package providertest is what package provider demands of every provider, as a test. A provider's own test starts it
// with a [Harness], which makes a place for the provider to watch and changes it:
//
//	Harness ─ Set, Spoil, Break, Heal ─▶ place ─▶ Provider ─▶ provider.Run ─▶ recorder ─▶ checks
//
// It drives the provider through [provider.Run], as the program does. What is waited for is an event, never a time; the
// long deadline only ends a test that hangs.
package providertest
