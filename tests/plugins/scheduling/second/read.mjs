// Reads an iCalendar object from standard input by ical.js, with the zones that are defined in it and no others, and
// writes every occurrence of every event as JSON: its UID, and begin and end as seconds since 1970.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
ICAL.TimezoneService.reset();
for (const zone of calendar.getAllSubcomponents("vtimezone")) {
  ICAL.TimezoneService.register(zone);
}

const events = calendar.getAllSubcomponents("vevent");
const named = (event) => event.getFirstPropertyValue("uid");
const masters = events.filter((event) => !event.hasProperty("recurrence-id"));
const known = new Set(masters.map(named));
const exceptions = events.filter((event) => event.hasProperty("recurrence-id"));
const found = [];
const add = (uid, start, end) => found.push({ uid, start: start.toUnixTime(), end: end.toUnixTime() });

for (const each of masters) {
  const event = new ICAL.Event(each, { exceptions: exceptions.filter((other) => named(other) === named(each)) });
  if (!event.isRecurring()) {
    add(event.uid, event.startDate, event.endDate);
    continue;
  }
  const times = event.iterator();
  for (let next = times.next(); next; next = times.next()) {
    const { startDate, endDate } = event.getOccurrenceDetails(next);
    add(event.uid, startDate, endDate);
  }
}
for (const each of exceptions.filter((other) => !known.has(named(other)))) {
  const event = new ICAL.Event(each);
  add(event.uid, event.startDate, event.endDate);
}
process.stdout.write(JSON.stringify(found));
