/** From WebRTC statistics to the few figures that matter. */

const NOTHING = { received: 0, lost: 0, samples: 0, concealed: 0 };

/** Makes a summary a second of the reports that `read()` resolves to. */
export class Quality {
  #before = NOTHING;
  #timer;

  constructor(read, each) {
    this.#timer = setInterval(async () => each(this.#summary(await read())), 1000);
  }

  close() {
    clearInterval(this.#timer);
  }

  /** Of the last second: percentages and milliseconds; null where nothing is known. */
  #summary(report) {
    const stats = [...report.values()];
    const inbound = stats.find((each) => each.type === "inbound-rtp" && each.kind === "audio");
    const remote = stats.find((each) => each.type === "remote-inbound-rtp" && each.kind === "audio");
    const pair = stats.find((each) => each.type === "candidate-pair" && each.nominated);
    const now = {
      received: inbound?.packetsReceived ?? 0,
      lost: inbound?.packetsLost ?? 0,
      samples: inbound?.totalSamplesReceived ?? 0,
      concealed: (inbound?.concealedSamples ?? 0) - (inbound?.silentConcealedSamples ?? 0),
    };
    const before = this.#before;
    this.#before = now;
    const lost = Math.max(0, now.lost - before.lost);
    return {
      lost_percent: share(lost, lost + now.received - before.received),
      concealed_percent: share(Math.max(0, now.concealed - before.concealed), now.samples - before.samples),
      jitter_ms: inbound ? round(inbound.jitter * 1000) : null,
      rtt_ms: pair?.currentRoundTripTime === undefined ? null : round(pair.currentRoundTripTime * 1000),
      uplink_lost_percent: remote?.fractionLost === undefined ? null : round(remote.fractionLost * 100),
      codec: (report.get(inbound?.codecId)?.mimeType ?? "").replace("audio/", ""),
    };
  }
}

function share(part, whole) {
  return whole > 0 ? round((100 * part) / whole) : null;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
