# SPDX-License-Identifier: MIT
"""The servers that gateway.py measures, and their configurations.

A gateway has a location for each way to ask whether a bearer is known, all of
them serving the same file as the plain one.  A slow API answers as Monime's
does, but later, and counts what it was asked.
"""

import os
import socket
import subprocess
import sys

SYSTEM_MODULES = "/usr/lib/nginx/modules"

# What both have.  The temporary folders are nginx's own, so that nothing of
# the system's is touched.
COMMON = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes {workers};
worker_rlimit_nofile 16384;
events {{
	worker_connections 12000;
}}
http {{
	access_log off;
	server_tokens off;
	sendfile on;
	tcp_nopush on;
	keepalive_timeout 1h;
	keepalive_requests 1000000000;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
"""

MODULE = "load_module {build}/nginx/ngx_http_monime_module.so;\n"

RIVAL_MODULES = """\
load_module {system}/ndk_http_module.so;
load_module {system}/ngx_http_lua_module.so;
load_module {system}/ngx_http_js_module.so;
"""

SERVER = """\
	monime_folder {etc};
	server {{
		listen {listen};
		add_header X-Worker $pid;
		location /plain/ {{
			alias {www}/;
		}}
{checked}{rivals}	}}
}}
"""

CHECKED = """\
		location /{name}/ {{
			alias {www}/;
			monime_profile test/{name};
			monime_check on;
		}}
"""

# Each of them as somebody would have it who cares for speed; the connections
# of /inner/kept survive since a HEAD has no body.
RIVALS_HTTP = """\
	proxy_cache_path {folder}/cache keys_zone=answers:1m;
	lua_shared_dict verdicts 1m;
	js_path {folder};
	js_import verdict.js;
	upstream kept {{
		server {api};
		keepalive 64;
		keepalive_requests 1000000000;
	}}
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_pass_request_body off;
	proxy_set_header Content-Length "";
	proxy_ssl_verify on;
	proxy_ssl_trusted_certificate {ca_path}/sandbox.pem;
	proxy_ssl_name localhost;
"""

RIVALS = """\
		location /return/ {{
			alias {www}/;
			auth_request /inner/return;
		}}
		location /cached/ {{
			alias {www}/;
			auth_request /inner/cached;
		}}
		location /njs/ {{
			alias {www}/;
			auth_request /inner/njs;
		}}
		location /uncached/ {{
			alias {www}/;
			auth_request /inner/uncached;
		}}
		location /kept/ {{
			alias {www}/;
			auth_request /inner/kept;
		}}
		location /lua/ {{
			alias {www}/;
			access_by_lua_block {{
				local verdicts = ngx.shared.verdicts
				local token = ngx.var.http_authorization
				if not token then
					return ngx.exit(401)
				end
				if verdicts:get(token) then
					return
				end
				local answer = ngx.location.capture("/inner/uncached")
				if answer.status ~= 200 or not string.find(
				    answer.body, '"isAuthenticated":true', 1, true)
				then
					return ngx.exit(401)
				end
				verdicts:set(token, true, 3600)
			}}
		}}
		location = /inner/return {{
			internal;
			return 200;
		}}
		location = /inner/cached {{
			internal;
			proxy_cache answers;
			proxy_cache_key $http_authorization;
			proxy_cache_valid 200 1h;
			proxy_pass https://{api}/;
		}}
		location = /inner/njs {{
			internal;
			js_content verdict.check;
		}}
		location = /inner/uncached {{
			internal;
			proxy_pass https://{api}/;
		}}
		location = /inner/kept {{
			internal;
			proxy_method HEAD;
			proxy_pass https://kept/;
		}}
"""

SCRIPT = """\
async function check(r) {
    const reply = await r.subrequest('/inner/cached');
    const known = reply.status == 200 &&
        JSON.parse(reply.responseText).status.isAuthenticated === true;
    r.return(known ? 204 : 401);
}

export default {check};
"""

SLOW = """\
	lua_shared_dict asked 1m;
	keepalive_timeout {keepalive};
	server {{
		listen 127.0.0.1:{port} ssl backlog=16384;
		ssl_certificate {keys}/server.pem;
		ssl_certificate_key {keys}/server.key;
		ssl_session_tickets off;
		default_type application/json;
		location = / {{
			content_by_lua_block {{
				ngx.shared.asked:incr("times", 1, 0)
				ngx.sleep({delay})
				ngx.print('{{"platform":"Monime",\
"status":{{"environment":"test","isAuthenticated":true}},"apiVersion":null}}')
			}}
		}}
		location = /asked {{
			content_by_lua_block {{
				ngx.print(ngx.shared.asked:get("times") or 0)
			}}
		}}
		location / {{
			return 200 '{{"success":true,"messages":[],"result":[]}}';
		}}
	}}
}}
"""


def write(path, text, mode=0o644):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def listener():
    """nginx takes over a socket that listens already, by its number."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(16384)
    return made


class Nginx:
    """One that runs in FOLDER; DO is what stands before its program."""

    def __init__(self, folder, cpus, text, before=(), **words):
        os.makedirs(folder, mode=0o755, exist_ok=True)
        self.folder = folder
        with listener() as taken:
            self.port = taken.getsockname()[1]
            words = dict({"workers": 1, "listen": "127.0.0.1:%d backlog=16384"
                          % self.port}, folder=folder, port=self.port,
                         system=SYSTEM_MODULES, **words)
            path = os.path.join(folder, "nginx.conf")
            write(path, text.format(**words))
            with open(os.path.join(folder, "output"), "wb") as output:
                self.process = subprocess.Popen(
                    (*before, "/usr/sbin/nginx", "-c", path, "-e",
                     os.path.join(folder, "error.log")), cwd=folder,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    pass_fds=(taken.fileno(),),
                    preexec_fn=lambda: os.sched_setaffinity(0, cpus),
                    env={"PATH": os.environ["PATH"],
                         "LD_LIBRARY_PATH": words.get("build", ""),
                         "NGINX": "%d;" % taken.fileno()})

    def url(self, place):
        return "http://127.0.0.1:%d/%s/file" % (self.port, place)

    def said(self):
        """What it has written to its terminal."""
        with open(os.path.join(self.folder, "output"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def log(self):
        with open(os.path.join(self.folder, "error.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() not in (None, 0):
            sys.stderr.write(self.said() + self.log())
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()


def gateway(folder, cpus, checked, rivals=False, single=False, **words):
    """Its locations: plain, a CHECKED one for each profile, and the rivals."""
    www = os.path.join(folder, "www")
    os.makedirs(www, exist_ok=True)
    write(os.path.join(www, "file"), "as plain as can be\n")
    words["www"] = www
    text = MODULE
    if rivals:
        write(os.path.join(folder, "verdict.js"), SCRIPT)
        text = RIVAL_MODULES + text
    if single:
        # Such a process crashes over a socket that it takes over.
        text += "master_process off;\n"
        words["listen"] = "unix:%s/socket" % folder
    words["checked"] = "".join(CHECKED.format(name=name, www=www)
                               for name in checked)
    words["rivals"] = RIVALS.format(**words) if rivals else ""
    text += COMMON + (RIVALS_HTTP if rivals else "") + SERVER
    return Nginx(folder, cpus, text, **words)


def slow_api(folder, cpus, keys, delay=1, keepalive="1h"):
    common = COMMON.replace("\tkeepalive_timeout 1h;\n", "")
    return Nginx(folder, cpus, RIVAL_MODULES + common + SLOW, keys=keys,
                 delay=delay, keepalive=keepalive)
