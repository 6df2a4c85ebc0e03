// Runs in the page before its own scripts: stamps the steps of a call, and listens to both of its sides.
//
// `callSteps`: milliseconds since the epoch by name. `callSound`: rows of [context's seconds, epoch's
// milliseconds, own level, far level] in dB of full scale, one for every 128 samples.
(() => {
  const steps = (window.callSteps = {});
  const sound = (window.callSound = []);
  const stamp = (name) => {
    steps[name] ??= performance.timeOrigin + performance.now();
  };

  const LISTENER = `
    class Ear extends AudioWorkletProcessor {
      #rows = [];
      process(inputs) {
        const levels = inputs.map(([samples]) => {
          let sum = 0;
          for (const sample of samples ?? []) sum += sample * sample;
          return sum > 0 ? Math.max(-100, 10 * Math.log10(sum / samples.length)) : -100;
        });
        this.#rows.push([currentTime, Date.now(), ...levels]);
        if (this.#rows.length >= 8) this.port.postMessage(this.#rows.splice(0));
        return true;
      }
    }
    registerProcessor("ear", Ear);`;
  const context = new AudioContext({ latencyHint: "interactive" });
  const ready = context.audioWorklet
    .addModule(URL.createObjectURL(new Blob([LISTENER], { type: "text/javascript" })))
    .then(async () => {
      const ear = new AudioWorkletNode(context, "ear", { numberOfInputs: 2, numberOfOutputs: 1 });
      ear.connect(context.destination);
      ear.port.onmessage = (message) => sound.push(...message.data);
      await context.resume();
      return ear;
    });
  window.listening = ready.then(() => true);
  const listen = async (side, stream) => {
    context.createMediaStreamSource(stream).connect(await ready, 0, side);
  };

  addEventListener("click", (event) => event.target.id === "call" && stamp("click"), true);

  const microphone = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await microphone(wanted);
    stamp("microphone");
    listen(0, stream);
    return stream;
  };

  const ask = window.fetch;
  window.fetch = async (...request) => {
    const offers = request[1]?.method === "POST";
    if (offers) stamp("offered");
    const response = await ask(...request);
    if (offers) stamp("answered");
    return response;
  };

  const Original = RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...details) {
      super(...details);
      window.connection = this;
      this.addEventListener("track", ({ track }) => listen(1, new MediaStream([track])));
      this.addEventListener("iceconnectionstatechange", () => {
        if (["connected", "completed"].includes(this.iceConnectionState)) stamp("ice");
      });
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") stamp("connected");
      });
    }
  };

  // [context's seconds, sum of the samples' seconds in the playout buffer, samples that left it]
  const buffer = (window.callBuffer = []);
  setInterval(async () => {
    const inbound = await window.inbound();
    if (inbound) buffer.push([context.currentTime, inbound.jitterBufferDelay, inbound.jitterBufferEmittedCount]);
  }, 200);

  // The browser's own account of the downlink.
  window.inbound = async () => {
    if (!window.connection) return undefined;
    const report = await window.connection.getStats();
    return [...report.values()].find((each) => each.type === "inbound-rtp" && each.kind === "audio");
  };
})();
