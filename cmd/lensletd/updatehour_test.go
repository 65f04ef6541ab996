package main

import (
	"testing"
	"time"
)

// The timer comes every hour: one of each day is that of the configuration.
func TestUpdateHour(t *testing.T) {
	if c := defaults(); c.Update.Hour != 2 {
		t.Errorf("the default is %d", c.Update.Hour)
	}
	east := time.FixedZone("", 9*60*60)
	for hour := -1; hour <= 24; hour++ {
		c := updateConfig{Hour: hour}
		if err := c.validate(); (err == nil) != (hour >= 0 && hour < 24) {
			t.Errorf("%d: %v", hour, err)
		}
		days := 0
		for h := range 24 {
			if c.due(time.Date(2026, 11, 28, h, 50, 59, 0, time.UTC).In(east)) {
				days++
			}
		}
		if hour >= 0 && hour < 24 && days != 1 {
			t.Errorf("in the hour %d the URL is looked at %d times a day", hour, days)
		}
	}
}
