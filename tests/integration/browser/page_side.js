// Runs in the page before its own scripts: a microphone that the test speaks through, the page's
// connections and a record of the events on its data channels.
(() => {
  const events = (window.channelEvents = []);
  const connections = (window.connections = []);
  const Original = RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...details) {
      super(...details);
      connections.push(this);
    }
    createDataChannel(...details) {
      const channel = super.createDataChannel(...details);
      channel.addEventListener("message", (event) => {
        events.push({ at: performance.now(), ...JSON.parse(event.data) });
      });
      return channel;
    }
  };

  if (!window.speaksForItself) return;
  const context = new AudioContext();
  const microphone = context.createMediaStreamDestination();
  // A real microphone is never without a signal; Chromium sends nothing for one that is.
  const room = new ConstantSourceNode(context, { offset: 0 });
  room.connect(microphone);
  room.start();
  navigator.mediaDevices.getUserMedia = async () => {
    await context.resume();
    return microphone.stream.clone();
  };

  // Resolves when all has been said; `wav` in base64.
  window.say = async (wav) => {
    const bytes = Uint8Array.from(atob(wav), (letter) => letter.charCodeAt(0));
    const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(bytes.buffer) });
    source.connect(microphone);
    source.start();
    await new Promise((resolve) => source.addEventListener("ended", resolve));
  };
  window.hum = async (hz, ms) => {
    const tone = new OscillatorNode(context, { frequency: hz });
    tone.connect(new GainNode(context, { gain: 0.3 })).connect(microphone);
    tone.start();
    tone.stop(context.currentTime + ms / 1000);
    await new Promise((resolve) => tone.addEventListener("ended", resolve));
  };
})();
