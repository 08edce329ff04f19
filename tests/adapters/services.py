"""What each service says before TLS, row by row: what it hears, then what it answers."""

from __future__ import annotations

from danebot.domain.names import Hostname, Protocol

HELO = Hostname.parse("probe.example")
HOST = Hostname.parse("mail.example")

_XMPP_FEATURES = (
    b"<?xml version='1.0'?>\n<stream:stream xmlns:stream='http://etherx.jabber.org/streams'"
    b" xmlns='jabber:client' version='1.0' id='a>b' from='mail.example'><stream:features>"
    b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    b'<mechanisms xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>PLAIN</mechanism>'
    b"</mechanisms></stream:features>"
)
_XMPP_OPEN = (
    b"<?xml version='1.0'?><stream:stream%b to='mail.example' version='1.0' xmlns='jabber:%b'"
    b" xmlns:stream='http://etherx.jabber.org/streams'>"
)
_XMPP_ASK = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
_SMTP_OFFER = b"250-mail.example\r\n250-SIZE 10240000\r\n250-starttls\r\n250 DSN\r\n"
_SIEVE_OFFER = (
    b'"IMPLEMENTATION" "x\\"y"\r\n"NOTIFY" {9}\r\nOK "no"\r\n\r\n{8}\r\nSTARTTLS\r\n'
    b'"VERSION" "1.0"\r\nOK (TAG {2+}\r\nab) "ready"\r\n'
)
_LDAP_REQUEST = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"

Rows = tuple[tuple[bytes, bytes], ...]
SERVICES: dict[Protocol, Rows] = {
    Protocol.TLS: (),
    Protocol.SMTP: (
        (b"", b"220-mail.example\r\n220 ESMTP\r\n"),
        (b"EHLO probe.example\r\n", _SMTP_OFFER),
        (b"STARTTLS\r\n", b"220 2.0.0 Ready to start TLS\r\n"),
    ),
    Protocol.LMTP: (
        (b"", b"220 mail.example LMTP\r\n"),
        (b"LHLO probe.example\r\n", _SMTP_OFFER),
        (b"STARTTLS\r\n", b"220 go\n"),
    ),
    Protocol.IMAP: (
        (b"", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready.\r\n"),
        (
            b"a1 CAPABILITY\r\n",
            b"* 1 EXISTS\r\n* capability IMAP4rev1 starttls LOGINDISABLED\r\na1 OK done\r\n",
        ),
        (b"a2 STARTTLS\r\n", b"a2 OK Begin TLS negotiation now.\r\n"),
    ),
    Protocol.POP3: (
        (b"", b"+OK ready <1896.697170952@mail.example>\r\n"),
        (b"CAPA\r\n", b"+OK list follows\r\nTOP\r\nSTLS\r\n.\r\n"),
        (b"STLS\r\n", b"+OK begin\r\n"),
    ),
    Protocol.SIEVE: (
        (b"", _SIEVE_OFFER),
        (b"STARTTLS\r\n", b'ok "Begin TLS"\r\n'),
    ),
    Protocol.XMPP_CLIENT: (
        (_XMPP_OPEN % (b"", b"client"), _XMPP_FEATURES),
        (_XMPP_ASK, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    ),
    Protocol.XMPP_SERVER: (
        (_XMPP_OPEN % (b" from='probe.example'", b"server"), _XMPP_FEATURES),
        (_XMPP_ASK, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'></proceed>"),
    ),
    Protocol.LDAP: ((_LDAP_REQUEST, bytes.fromhex("300c02010178070a010004000400")),),
    Protocol.FTP: (
        (b"", b"220-Welcome\r\n  free text\r\n221 not yet\r\n220 ready\r\n"),
        (b"AUTH TLS\r\n", b"234 Proceed\r\n"),
    ),
}
GOODBYES = {
    Protocol.SMTP: b"QUIT\r\n",
    Protocol.LMTP: b"QUIT\r\n",
    Protocol.IMAP: b"a3 LOGOUT\r\n",
    Protocol.POP3: b"QUIT\r\n",
    Protocol.SIEVE: b"LOGOUT\r\n",
    Protocol.LDAP: bytes.fromhex("30050201024200"),
    Protocol.FTP: b"QUIT\r\n",
}


def heard(rows: Rows) -> bytes:
    """All that a service hears before TLS."""
    return b"".join(row[0] for row in rows)


def answered(rows: Rows) -> bytes:
    """All that a service says before TLS."""
    return b"".join(row[1] for row in rows)
