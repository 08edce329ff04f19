#!/bin/sh
# danebot's ready-made deploy hooks: "@postfix", "@nginx" and the like in danebot.toml run this with
# the service's name.  It checks the service's configuration, so that a mistake in that isn't made
# live by a renewal, and has the service read its files again.
#
#   reload.sh postfix   [CONFIGURATION_DIRECTORY]
#   reload.sh dovecot   [CONFIGURATION_FILE]
#   reload.sh exim      [CONFIGURATION_FILE]
#   reload.sh nginx     [CONFIGURATION_FILE]
#   reload.sh haproxy   [CONFIGURATION_FILE [PID_FILE_OF_THE_MASTER]]
#   reload.sh apache    [CONFIGURATION_FILE]
#   reload.sh opensmtpd [CONFIGURATION_FILE [NAME_OF_THE_SERVICE]]
#   reload.sh cyrus     [IMAPD_CONF [PID_FILE_OF_THE_MASTER]]
#   reload.sh prosody   [CONFIGURATION_FILE]
#   reload.sh ejabberd  [CONFIGURATION_DIRECTORY]
#
# Exit status 0: the service was told.  Whether it serves the new chain, danebot looks itself.
set -u
PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"
export LC_ALL=C

fail() {
    printf '%s\n' "$service: $*"
    exit 1
}

# The service's own program, or fail.
need() {
    command -v "$1" >/dev/null || fail "there is no program $1 on PATH"
}

# Run a command; if it fails, say in one line what the line in its output says that matters most.
try() {
    what=$1
    shift
    said=$("$@" 2>&1) && return 0
    telling=$(printf '%s\n' "$said" | awk '
        /^=ERROR REPORT|^Error: error$/ { next }  # Erlang says what is wrong after it
        tolower($0) ~ /emerg|fatal|alert|error|invalid|unknown|failed|unable to|not running/ {
            line = $0
            if (line ~ /:[ \t]*$/ && getline > 0) line = line " " $0  # it goes on there
            print line
            exit
        }')
    [ -n "$telling" ] || telling=$(printf '%s\n' "$said" | grep '[[:alnum:]]' | tail -n 1)
    fail "$what: ${telling:-it does not say how; see its log, and run: $*}"
}

# Find the process whose number stands on a pid file's one line: $pid, if it goes by one of the names
# that follow.  0, 1 and -1 mean many processes to kill, or all; and the number of a service that is
# gone may be another program's by now.
find_process() {
    file=$1
    shift
    [ -f "$file" ] || fail "not reloaded: there is no pid file $file; is it running?"
    pid=$(awk 'NF { $1 = $1; print; if (lines++) exit }' <"$file") || fail "not reloaded: cannot read $file"
    case $pid in
    '' | *[!0-9]* | 0* | 1 | ????????*) fail "not reloaded: $file holds no process id; is it running?" ;;
    esac
    name=$(cat "/proc/$pid/comm" 2>/dev/null || ps -o comm= -p "$pid" 2>/dev/null)
    name=${name##*/}
    [ -n "$name" ] || fail "not reloaded: $file names no running process"
    for wanted; do
        case $name in "$wanted"*) return ;; esac
    done
    fail "not reloaded: $file names process $pid, which is $name, not $1; is it running?"
}

# Signal the process that a pid file names: SIGNAL FILE NAME...
signal() {
    signal=$1
    shift
    find_process "$@"
    try 'not reloaded' kill -s "$signal" "$pid"
}

# Have the service manager reload or restart a service that runs: ACTION SERVICE.
manage() {
    if [ -d /run/systemd/system ]; then
        systemctl is-active --quiet "$2" || fail "not reloaded: systemd's service $2 is not running"
        try 'not reloaded' systemctl "$1" "$2"
    else
        need service
        service "$2" status >/dev/null 2>&1 || fail "not reloaded: the service $2 is not running"
        try 'not reloaded' service "$2" "$1"
    fi
}

service=${1:-}
[ $# -gt 0 ] && shift
wrong='not reloaded, its configuration is wrong'

case $service in
postfix)
    need postfix
    try "$wrong" postfix ${1:+-c "$1"} check
    try 'not reloaded' postfix ${1:+-c "$1"} reload
    ;;
dovecot)
    need doveconf
    need doveadm
    try "$wrong" doveconf ${1:+-c "$1"} -n
    base=$(doveconf ${1:+-c "$1"} -h base_dir) || fail 'not reloaded: it names no base_dir'
    find_process "$base/master.pid" dovecot
    try 'not reloaded' doveadm ${1:+-c "$1"} reload
    ;;
exim)
    exim=$(command -v exim4 || command -v exim) || fail 'there is no program exim4 or exim on PATH'
    try "$wrong" "$exim" ${1:+-C "$1"} -bV
    pid_file=$("$exim" ${1:+-C "$1"} -bP pid_file_path) || fail 'not reloaded: it names no pid file'
    pid_file=${pid_file#*= }
    signal HUP "${pid_file:-/run/exim4/exim.pid}" exim
    ;;
nginx)
    need nginx
    try "$wrong" nginx ${1:+-c "$1"} -t -q
    pid_file=$(nginx ${1:+-c "$1"} -T 2>/dev/null | awk '$1 == "pid" { print $2; exit }' | tr -d "\"';")
    [ -n "$pid_file" ] || pid_file=$(nginx -V 2>&1 | sed -n 's/.* --pid-path=\([^ ]*\).*/\1/p')
    case $pid_file in
    /*) ;;
    *)
        prefix=$(nginx -V 2>&1 | sed -n 's/.* --prefix=\([^ ]*\).*/\1/p')
        pid_file=${prefix:-/usr/local/nginx}/${pid_file:-logs/nginx.pid}
        ;;
    esac
    find_process "$pid_file" nginx  # it would signal any program
    try 'not reloaded' nginx ${1:+-c "$1"} -s reload
    ;;
haproxy)
    need haproxy
    try "$wrong" haproxy -c -f "${1:-/etc/haproxy/haproxy.cfg}"
    if [ $# -gt 1 ]; then
        signal USR2 "$2" haproxy
    else
        manage reload haproxy
    fi
    ;;
apache)
    apache=$(command -v apache2ctl || command -v httpd || command -v apachectl) ||
        fail 'there is no program apache2ctl, httpd or apachectl on PATH'
    try "$wrong" "$apache" ${1:+-f "$1"} -t
    pid_file=$("$apache" ${1:+-f "$1"} -t -D DUMP_RUN_CFG 2>/dev/null | sed -n 's/^PidFile: "\(.*\)"$/\1/p')
    # "graceful" would start one that is stopped, and signal whatever has its number
    signal USR1 "${pid_file:-/run/apache2/apache2.pid}" apache2 httpd
    ;;
opensmtpd)
    need smtpd
    try "$wrong" smtpd ${1:+-f "$1"} -n
    manage restart "${2:-opensmtpd}"  # it has no way to reload: SIGHUP ends it
    ;;
cyrus)
    PATH="$PATH:/usr/lib/cyrus/bin:/usr/lib/cyrus-imapd:/usr/libexec/cyrus-imapd:/usr/local/cyrus/sbin"
    need cyr_info
    said=$(cyr_info ${1:+-C "$1"} conf 2>&1)
    [ $? -ne 78 ] || fail "$wrong: $said"  # EX_CONFIG; root is turned away after it was read
    signal HUP "${2:-/run/cyrus-master.pid}" cyrmaster cyrus-master master
    ;;
prosody)
    need prosodyctl
    try "$wrong" prosodyctl ${1:+--config "$1"} about
    # it tells from a lock who wrote the pid file
    pid=$(prosodyctl ${1:+--config "$1"} status 2>/dev/null | sed -n 's/.* PID \([0-9][0-9]*\).*/\1/p')
    [ -n "$pid" ] || fail 'not reloaded: it is not running'
    try 'not reloaded' kill -s HUP "$pid"
    ;;
ejabberd)
    need ejabberdctl
    try 'not reloaded' ejabberdctl ${1:+--config-dir "$1"} reload_config  # keeps what it has if that is wrong
    ;;
*)
    service=reload.sh
    fail 'name one of postfix, dovecot, exim, nginx, haproxy, apache, opensmtpd, cyrus, prosody, ejabberd'
    ;;
esac
