package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"lenslet/board/slots"
)

const bootUsage = `usage: lensletd boot get-primary | set-primary SLOT | get-state SLOT | set-state SLOT good|bad | get-current

Tells, and decides, which of the two systems on the card boots. A slot is named by
the number of its boot partition: 2 or 3. RAUC asks so.
`

// runBoot is `lensletd boot`: RAUC's custom boot loader backend.
func runBoot(_ context.Context, args []string, stdout, _ io.Writer) error {
	return answerRAUC(slots.Backend{}, args, stdout)
}

// answerRAUC does what one command asks.
func answerRAUC(b slots.Backend, args []string, stdout io.Writer) (err error) {
	slot, state, err := bootArguments(args)
	if err != nil {
		return err
	}
	var answer any
	switch args[0] {
	case "get-primary":
		answer, err = b.Primary()
	case "set-primary":
		return b.SetPrimary(slot)
	case "get-state":
		var good bool
		if good, err = b.Good(slot); good {
			answer = "good"
		} else {
			answer = "bad"
		}
	case "set-state":
		if state == "good" {
			return b.SetGood(slot)
		}
		return b.SetBad(slot)
	case "get-current":
		answer, _, err = b.Booted()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, answer)
	return err
}

// bootArguments finds mistakes.
func bootArguments(args []string) (slot int, state string, err error) {
	counts := map[string]int{"get-primary": 1, "set-primary": 2, "get-state": 2, "set-state": 3, "get-current": 1}
	if len(args) == 0 || counts[args[0]] != len(args) {
		return 0, "", usagef("lensletd boot: these arguments are not known\n%s", bootUsage)
	}
	if len(args) > 1 {
		if slot, err = strconv.Atoi(args[1]); err != nil {
			return 0, "", usagef("lensletd boot: there is no slot %q; right would be 2 or 3", args[1])
		}
	}
	if len(args) > 2 {
		if state = args[2]; state != "good" && state != "bad" {
			return 0, "", usagef("lensletd boot: there is no state %q; right would be good or bad", state)
		}
	}
	return slot, state, nil
}
