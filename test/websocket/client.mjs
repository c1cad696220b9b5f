// The client: tries what a WebSocket can do, at the address that it is given, and prints what failed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';

const base = process.argv[2];

async function open(path, { protocols = [], ...options } = {}) {
  const socket = new WebSocket(base + path, protocols, { rejectUnauthorized: false, maxPayload: 64 << 20, ...options });
  await once(socket, 'open');
  return socket;
}

async function close(socket, code = 1000, reason = '') {
  const closed = once(socket, 'close');
  socket.close(code, reason);
  const [got] = await closed;
  assert.equal(got, code);
}

async function echo(options, data, binary) {
  const socket = await open('/', options);
  socket.send(data, { binary });
  const [got, isBinary] = await once(socket, 'message');
  assert.equal(isBinary, binary);
  assert.ok(Buffer.from(data).equals(got), 'what came back is not what was sent');
  await close(socket);
}

const plain = { perMessageDeflate: false };
const random = (size) => Buffer.from({ length: size }, () => Math.random() * 256);

const cases = {
  'text': () => echo(plain, 'grüße, 世界', false),
  'empty text': () => echo(plain, '', false),
  'binary': () => echo(plain, random(1000), true),
  'sizes around those of length fields': async () => {
    for (const size of [125, 126, 65535, 65536]) await echo(plain, Buffer.alloc(size, 'x'), true);
  },
  'a message of 8 MiB': () => echo(plain, Buffer.alloc(8 << 20, 'x'), true),
  'permessage-deflate': async () => {
    const socket = await open('/', { perMessageDeflate: { threshold: 0 } });
    assert.match(socket.extensions, /permessage-deflate/);
    await close(socket);
    await echo({ perMessageDeflate: { threshold: 0 } }, 'again and '.repeat(100_000), false);
    await echo({ perMessageDeflate: { threshold: 0 } }, random(300_000), true);
  },
  'fragments': async () => {
    const socket = await open('/', plain);
    socket.send('one, ', { fin: false });
    socket.send('two, ', { fin: false });
    socket.send('three', { fin: true });
    const [got] = await once(socket, 'message');
    assert.equal(got.toString(), 'one, two, three');
    await close(socket);
  },
  'a ping of the client': async () => {
    const socket = await open('/', plain);
    socket.ping('from the client');
    const [data] = await once(socket, 'pong');
    assert.equal(data.toString(), 'from the client');
    await close(socket);
  },
  'a ping of the service': async () => {
    const socket = await open('/pings', plain);
    const [got] = await once(socket, 'message');
    assert.equal(got.toString(), 'pong from the service');
    await close(socket);
  },
  'codes of a close by the client': async () => {
    for (const code of [1000, 1001, 3000, 4999]) await close(await open('/', plain), code, 'bye');
  },
  'a close by the service': async () => {
    const socket = new WebSocket(base + '/closes', { rejectUnauthorized: false });
    const [code, reason] = await once(socket, 'close');
    assert.deepEqual([code, reason.toString()], [4001, 'enough']);
  },
  'a service that is gone without a word': async () => {
    const socket = new WebSocket(base + '/drops', { rejectUnauthorized: false });
    const [code] = await once(socket, 'close');
    assert.equal(code, 1006);
  },
  'a subprotocol': async () => {
    const socket = await open('/', { ...plain, protocols: ['other', 'fairlead.test'] });
    assert.equal(socket.protocol, 'fairlead.test');
    await close(socket);
  },
  'an upgrade that the service refuses': async () => {
    const socket = new WebSocket(base + '/refused', { rejectUnauthorized: false });
    const [, answer] = await once(socket, 'unexpected-response');
    assert.equal(answer.statusCode, 403);
    answer.destroy();
  },
  'a client that does not read for a while': async () => {
    const socket = await open('/flood', plain);
    let bytes = 0;
    socket.on('message', (data) => { bytes += data.length; });
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.resume();
    while (bytes < 32 << 20) await once(socket, 'message');
    assert.equal(bytes, 32 << 20);
    await close(socket);
  },
  'a service that does not read for a while': async () => {
    const socket = await open('/waits', plain);
    const messages = 64;
    for (let n = 0; n < messages; n++) socket.send(Buffer.alloc(256 << 10, n), { binary: true });
    for (let n = 0; n < messages; n++) {
      const [got] = await once(socket, 'message');
      assert.equal(got[0], n);
      assert.equal(got.length, 256 << 10);
    }
    await close(socket);
  },
  'fifty at once': () => Promise.all(Array.from({ length: 50 }, (_, n) => echo(plain, `client ${n}`, false))),
};

let failed = 0;
for (const [name, run] of Object.entries(cases)) {
  const limit = setTimeout(() => { console.log(`FAIL ${name}: no end`); process.exit(1); }, 30_000);
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.message}`);
  }
  clearTimeout(limit);
}
console.log(`${Object.keys(cases).length - failed} of ${Object.keys(cases).length}`);
process.exit(failed === 0 ? 0 : 1);
