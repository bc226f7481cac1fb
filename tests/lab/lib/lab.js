/** What every test of the lab begins with: the two sides' routers, and the running product on the internet between them. */

import { join } from "node:path";
import { Server } from "../../browser/lib/server.js";
import { Router } from "./network.js";

/** Why the lab's tests do not run here; false where they do. */
export const skip = process.env.VISAVIS_LAB ? false : (process.env.VISAVIS_NO_LAB ?? "run it by tests/lab/in-lab");

export const routers = { patient: new Router("patient", "10.1.0.2"), doctor: new Router("doctor", "10.2.0.2") };

/** @param {string} name  of a file that `in-lab` made, or of one that may lie beside them */
export function file(name) {
  return join(process.env.VISAVIS_LAB ?? "", name);
}

export function startServer() {
  return Server.start({
    network: "internet",
    listen: "[::]:443",
    args: ["--public-url", "https://video.lab.test", "--certificate", file("server.crt"), "--certificate-key", file("server.key")],
  });
}
