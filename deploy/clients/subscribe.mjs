#!/usr/bin/env node
// Prints every alert of newsmonitor once, and after a stop goes on where it
// was. Copy it, and put your own work in the place of show.
//
//     npm install @nats-io/transport-node@3.4.0 @nats-io/jetstream@3.4.0
//     node subscribe.mjs --subject 'news.alerts.*.critical.>'
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";

const { values: flags } = parseArgs({ options: {
  server: { type: "string", default: "nats://127.0.0.1:4222" }, // where the monitor, or your cluster, listens
  stream: { type: "string", default: "ALERTS" },
  subject: { type: "string", default: "news.alerts.>" }, // or news.alerts.sanctions.>, news.alerts.*.critical.>
  state: { type: "string", default: "alerts.state" }, // the file that says how far we got
  json: { type: "boolean", default: false }, // print each event as it is, one a line
} });

const url = new URL(flags.server);
const at = load();
const nc = await connect({
  servers: url.host, maxReconnectAttempts: -1, reconnectTimeWait: 1000,
  ...(url.username && { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }),
  ...(url.protocol === "tls:" && { tls: {} }),
}).catch((err) => quit(`connect to NATS: ${err.message}`));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => nc.close());

while (!nc.isClosed()) {
  const why = await follow().catch((err) => `read stream ${flags.stream}: ${err.message}`);
  if (nc.isClosed()) break;
  console.error(`${why}; going on after alert ${at.seq}`);
  await pause(1000);
}

// follow takes what is stored after our place, then what comes, until the
// connection breaks.
async function follow() {
  const js = jetstream(nc);
  const { created, state } = await (await js.jetstreamManager()).streams.info(flags.stream);
  if (at.stream !== created || at.seq > state.last_seq) {
    Object.assign(at, { stream: created, seq: 0 }); // our sequence is of another stream; the ids tell what we had
  }
  const consumer = await js.consumers.get(flags.stream, { filter_subjects: flags.subject, opt_start_seq: at.seq + 1 });
  const messages = await consumer.consume();
  (async () => {
    for await (const s of nc.status()) if (s.type === "reconnect") return messages.stop();
  })();
  for await (const m of messages) {
    const event = m.json();
    if (!at.ids.includes(event.id)) {
      await show(event, m.string());
      at.ids = [...at.ids, event.id].slice(-1000);
    }
    at.seq = m.seq;
    save();
  }
  return "connected again";
}

function show(event, whole) {
  const { title, link = "" } = event.data.item;
  const line = `${event.severity.padEnd(8)} ${event.subject.padEnd(19)} ${printable(title)}  ${printable(link)}`.trim();
  return new Promise((done) => process.stdout.write((flags.json ? whole : line) + "\n", done));
}

// printable keeps what a stranger wrote from steering the terminal.
function printable(text) {
  return text.replace(/[\p{C}\p{Z}]/gu, " ");
}

function load() {
  if (!existsSync(flags.state)) return { stream: "", seq: 0, ids: [] }; // the first run begins with the first alert
  try {
    return JSON.parse(readFileSync(flags.state, "utf8"));
  } catch (err) {
    quit(`state ${flags.state}: ${err.message} (without the file we begin with the first alert)`);
  }
}

// save comes after the work on an alert is done: who is killed in between does
// that alert again, and never misses one.
function save() {
  writeFileSync(flags.state + ".new", JSON.stringify(at));
  renameSync(flags.state + ".new", flags.state);
}

function quit(why) {
  console.error(why);
  process.exit(1);
}
