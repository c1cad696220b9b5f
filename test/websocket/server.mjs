// The service: echoes what it gets, in the way that the path says. It prints the port that it listens on.
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: { threshold: 0 },
  maxPayload: 64 << 20,
  handleProtocols: (offered) => (offered.has('fairlead.test') ? 'fairlead.test' : false),
  verifyClient: ({ req }, done) => (req.url === '/refused' ? done(false, 403, 'refused') : done(true)),
});

server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket, request) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  switch (request.url) {
    case '/pings': // and says when it was answered
      socket.on('pong', (data) => socket.send(`pong ${data}`));
      socket.ping('from the service');
      break;
    case '/closes':
      socket.close(4001, 'enough');
      break;
    case '/drops': // without a word
      socket.terminate();
      break;
    case '/flood': { // 32 MiB, as fast as they are taken
      const piece = Buffer.alloc(1 << 20, 'x');
      const send = (left) => left > 0 && socket.send(piece, () => send(left - 1));
      send(32);
      break;
    }
    case '/waits': // reads nothing until told, so that the client feels it
      socket.pause();
      setTimeout(() => socket.resume(), 500);
      break;
  }
});
