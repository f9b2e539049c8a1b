// Prints what a plain subscription on news.alerts.> receives.
import { connect } from "@nats-io/transport-node";

const nc = await connect({ servers: new URL(process.argv[2]).host });
const alerts = nc.subscribe("news.alerts.>");
await nc.flush();
console.log("listening");
for await (const m of alerts) {
  // The stream says which subject it stored; what another reader made the
  // server send under our subject does not.
  if (m.headers?.get("Nats-Subject") === m.subject) console.log(m.string());
}
