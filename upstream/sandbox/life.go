package sandbox

import "time"

// life is one pass of a moving job through the statuses, seen at one moment. It follows from the clock alone: nothing
// runs or is stored between requests.
type life struct {
	born   time.Time
	length time.Duration
	// age is how much of the life is over, in percent.
	age int
	milestones
}

// milestones are the ages, in percent, at which a life changes. Each status lasts a tenth of the life or more: of the
// shortest, 3 seconds, so that a look every 2 seconds misses none. All lives rest from 80 percent on.
type milestones struct {
	authorized, started, measured, reviewed, completed, returned, failed int
}

// never is an age that no life reaches.
const never = 100

var (
	good = milestones{
		authorized: 10, started: 25, measured: 25, reviewed: 55, completed: 70, returned: 80, failed: never,
	}
	// Media that cannot be read is never measured.
	bad = milestones{
		authorized: 10, started: 25, measured: never, reviewed: never, completed: never, returned: never, failed: 80,
	}
)

// due is the age at the due date. It is promised at authorization, and good lives are in time.
const due = 85

// onceAt returns the only life of a job that is not born anew, in percent of its length as liveAt has it: it rests at
// its end for ever.
func onceAt(length time.Duration, born, now time.Time, m milestones) life {
	age := min(max(now.Sub(born), 0), length)
	return life{born: born, length: length, age: min(int(100*age/length), never-1), milestones: m}
}

// liveAt returns the life that goes on at a moment. Every other one is bad, so that all statuses are seen.
func liveAt(length time.Duration, started, now time.Time) life {
	elapsed := max(now.Sub(started), 0) // a clock set back must not ask for a life before the first
	lived, age := elapsed/length, elapsed%length
	l := life{
		born:       started.Add(lived * length),
		length:     length,
		age:        int(100 * age / length),
		milestones: good,
	}
	if lived%2 == 1 {
		l.milestones = bad
	}
	return l
}

func (l life) status() string {
	switch {
	case l.age >= l.failed:
		return "Media Failure"
	case l.age >= l.completed:
		return "Complete"
	case l.age >= l.reviewed:
		return "Reviewing"
	case l.age >= l.started:
		return "In Process"
	case l.age >= l.authorized:
		return "Pending"
	}
	return "Authorizing"
}

func (l life) difficulty() string {
	switch {
	case l.age >= l.failed:
		return "Bad"
	case l.age >= l.reviewed:
		return "Good"
	}
	return "Unknown"
}

// at is the moment of an age.
func (l life) at(age int) time.Time {
	return l.born.Add(l.length * time.Duration(age) / 100)
}

// date is the moment of an age that was reached; zero: not yet.
func (l life) date(age int) date {
	if l.age < age {
		return date{}
	}
	return newDate(l.at(age))
}

// due is known from authorization on.
func (l life) due() date {
	if l.age < l.authorized {
		return date{}
	}
	return newDate(l.at(due))
}
