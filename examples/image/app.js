// Answers with the name of the host that it runs on: in a cluster, of its pod.
const http = require('http');
const os = require('os');

console.log('server starting...');

const handler = function (request, response) {
  console.log('received a request from ' + request.connection.remoteAddress);
  response.writeHead(200);
  response.end("You've hit " + os.hostname() + '\n');
};

http.createServer(handler).listen(8080);
