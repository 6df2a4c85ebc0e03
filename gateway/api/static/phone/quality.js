/** From WebRTC statistics to the few figures that matter. */

const NOTHING = { received: 0, lost: 0, samples: 0, concealed: 0 };

/**
 * Makes a summary a second of the reports that `read()` resolves to, and the sums since the call's beginning
 * as the gateway takes them; those are null before anything has come.
 */
export class Quality {
  #before = NOTHING;
  #timer;

  constructor(read, each) {
    this.#timer = setInterval(async () => {
      const report = await read();
      each(this.#summary(report), sums(report));
    }, 1000);
  }

  close() {
    clearInterval(this.#timer);
  }

  /** Of the last second: percentages and milliseconds; null where nothing is known. */
  #summary(report) {
    const { inbound, remote, pair } = parts(report);
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

function parts(report) {
  const stats = [...report.values()];
  const audio = (type) => stats.find((each) => each.type === type && each.kind === "audio");
  return {
    inbound: audio("inbound-rtp"),
    outbound: audio("outbound-rtp"),
    remote: audio("remote-inbound-rtp"),
    pair: stats.find((each) => each.type === "candidate-pair" && each.nominated),
  };
}

function sums(report) {
  const { inbound, outbound, remote, pair } = parts(report);
  if (inbound === undefined) return null;
  return {
    packets_received: inbound.packetsReceived ?? 0,
    packets_lost: inbound.packetsLost ?? 0,
    jitter_ms: round((inbound.jitter ?? 0) * 1000),
    total_samples: inbound.totalSamplesReceived ?? 0,
    concealed_samples: inbound.concealedSamples ?? 0,
    silent_concealed_samples: inbound.silentConcealedSamples ?? 0,
    jitter_buffer_delay_s: inbound.jitterBufferDelay ?? 0,
    jitter_buffer_emitted: inbound.jitterBufferEmittedCount ?? 0,
    rtt_ms: known(pair?.currentRoundTripTime, 1000),
    uplink_lost_percent: known(remote?.fractionLost, 100),
    target_bitrate_bps: outbound?.targetBitrate === undefined ? null : Math.round(outbound.targetBitrate),
  };
}

function known(value, factor) {
  return value === undefined ? null : round(value * factor);
}

function share(part, whole) {
  return whole > 0 ? round((100 * part) / whole) : null;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
