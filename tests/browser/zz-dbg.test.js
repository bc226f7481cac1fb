import { after, before, test } from "node:test";
import { launch } from "./lib/browser.js";
import { meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { cleanUp, leaveAll } from "./lib/visit.js";
let server, browsers;
before(async () => { server = await Server.start(); browsers = { doctor: await launch("chromium"), patient: await launch("chromium") }; });
after(() => cleanUp(server));
test("x", async () => {
  const { patient } = await meet(server, browsers);
  await patient.read(() => { window.__log = []; for (const t of ["keydown","keyup","click","focusin"]) document.addEventListener(t, (e) => window.__log.push([t, e.key, e.target.id || e.target.dataset?.device, e.isTrusted, e.target.getAttribute("aria-checked"), Math.round(performance.now())]), true); });
  await patient.press("#bar [data-device=microphone]", "Space");
  await new Promise(r=>setTimeout(r,500));
  console.log(JSON.stringify(await patient.read(() => [window.__log, document.querySelectorAll("#bar [data-device=microphone]").length, [...document.querySelectorAll("#bar [data-device=microphone]")].map(e=>e.outerHTML)])));
  await leaveAll();
});
