# SPDX-License-Identifier: MIT
"""An nginx on loopback that answers as the Monime API would, at once.

It lives in a throw-away folder, with a throw-away authority, on a port that
the kernel picks, and speaks TLS with HTTP/1.1 and HTTP/2.
"""

import http.client
import os
import socket
import ssl
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "sandbox"))

import certificates  # noqa: E402

# Tokens that begin with this are refused.
REFUSED = "mon_test_no_"

CONFIG = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
worker_rlimit_nofile 8192;
events {{
	worker_connections 4096;
}}
http {{
	access_log off;
	default_type application/json;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	keepalive_timeout 1h;
	keepalive_requests 1000000000;
	tcp_nodelay on;
	map $http_authorization $verdict {{
		default '"environment":"test","isAuthenticated":true';
		"~^Bearer {refused}" '"environment":null,"isAuthenticated":false';
	}}
	server {{
		listen 127.0.0.1:{port} ssl http2;
		ssl_certificate {folder}/server.pem;
		ssl_certificate_key {folder}/server.key;
		ssl_session_tickets off;
		add_header Monime-Request-Id $request_id;
		add_header Monime-Request-Duration 1ms;
		location = / {{
			return 200 '{{"platform":"Monime","tagline":"bench",\
"status":{{$verdict}},"apiVersion":{{"id":"caph.2025-08-23",\
"release":{{"name":"caph","date":"2025-08-23"}},"deprecated":false}},\
"requestOrigin":{{"country":"SL","ipAddress":"127.0.0.1"}}}}';
		}}
		location / {{
			return 200 '{{"success":true,"messages":[],"result":[\
{{"id":"fac-bench","uvan":"mnb-bench","name":"Main account","currency":"SLE",\
"reference":null,"description":null,"balance":{{"available":\
{{"currency":"SLE","value":123456}}}},"createTime":"2025-08-23T10:00:00Z",\
"updateTime":"2025-08-23T10:00:00Z","metadata":{{}}}}],\
"pagination":{{"count":1,"next":null}}}}';
		}}
	}}
}}
"""


class Server:
    def __init__(self, folder):
        os.makedirs(folder, mode=0o755)
        certificates.make(folder)
        # One processor, where it neither wanders nor is followed by chance.
        self.cpu = min(os.sched_getaffinity(0))
        self.ca_path = os.path.join(folder, "ca")
        # nginx takes over a socket that listens already, by its number: so
        # nobody else can have the port in between.
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(511)
        port = listener.getsockname()[1]
        self.origin = "https://127.0.0.1:%d" % port
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=folder, port=port,
                                     refused=REFUSED))
        self.process = subprocess.Popen(
            ("/usr/sbin/nginx", "-c", path, "-e",
             os.path.join(folder, "error.log")), cwd=folder,
            stdin=subprocess.DEVNULL, pass_fds=(listener.fileno(),),
            preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu}),
            env={"PATH": os.environ["PATH"],
                 "NGINX": "%d;" % listener.fileno()})
        listener.close()
        try:
            self.worker = self._wait_for_worker(port)
        except (OSError, http.client.HTTPException):
            self.stop()
            raise

    def _wait_for_worker(self, port):
        """The process that answers, once it does."""
        context = ssl.create_default_context(capath=self.ca_path)
        connection = http.client.HTTPSConnection("127.0.0.1", port,
                                                 context=context)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % name, encoding="ascii",
                          errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue        # it has gone
            if int(fields[1]) == self.process.pid:
                return int(name)
        raise OSError("nginx has no worker")

    def stop(self):
        self.process.terminate()
        self.process.wait()
