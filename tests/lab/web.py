"""nginx: TLS at once."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.net import accepts
from lab.processes import Service

HTTPS = 443


def nginx(root: Path, address: str, chain: Path) -> Service:
    """Write the configuration below the lab's root; return what is to be started."""
    base = root / "nginx"
    base.mkdir()
    conf = base / "nginx.conf"
    conf.write_text(_CONF.format(base=base, address=address, chain=chain), encoding="ascii")
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "nginx"
    return Service("nginx", [program, "-c", conf, "-p", base], lambda: accepts(address, HTTPS))


_CONF = """\
daemon off;
worker_processes 1;
pid {base}/pid;
error_log {base}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {base}/body;
  proxy_temp_path {base}/proxy;
  fastcgi_temp_path {base}/fastcgi;
  uwsgi_temp_path {base}/uwsgi;
  scgi_temp_path {base}/scgi;
  server {{
    listen {address}:443 ssl;
    ssl_certificate {chain};
    ssl_certificate_key {chain};
    return 204;
  }}
}}
"""
