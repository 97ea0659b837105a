"""Fields of the HAProxy plugin. Long lists that several items share are said once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from holdfast.testing.opnsense.fields import Certificate, Choice, Field, Flag, Ref, ServerId, Text, Whole
from holdfast.testing.opnsense.resource import Resource

_NAME: Final = r"([0-9a-zA-Z._\-]){1,255}"
_LOOSE_NAME: Final = r"[^\t^,^;^\.^\[^\]^\{^\}]{1,255}"
_ADDRESS: Final = r"([0-9a-zA-Z\.,_\-:]){0,1024}"
_TIME: Final = r"[0-9]{1,8}(?:us|ms|s|m|h|d)?"
_SOURCE: Final = r"[0-9a-zA-Z._\-\*:]*"
_BIND_ENTRY: Final = r"(?:(?:quic4@|quic6@)*[0-9a-zA-Z._\-\*:\[\]]+:+[0-9]+(?:-[0-9]+)?|unix@[0-9a-z_\-]+)"
_BIND: Final = rf"{_BIND_ENTRY}(?:,{_BIND_ENTRY})*,?"
_COUNTERS: Final = (
    "bytes_in_cnt bytes_in_rate bytes_out_cnt bytes_out_rate conn_cnt conn_cur conn_rate glitch_cnt glitch_rate gpc "
    "gpc_rate gpc0 gpc0_rate gpc1 gpc1_rate gpt gpt0 http_err_cnt http_err_rate http_fail_cnt http_fail_rate http_req_cnt "
    "http_req_rate server_id sess_cnt sess_rate"
)
_TLS_VERSIONS: Final = "SSLv3 TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3"
_BIND_OPTIONS: Final = (
    "no-sslv3 no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 no-tls-tickets force-sslv3 force-tlsv10 force-tlsv11 "
    "force-tlsv12 force-tlsv13 prefer-client-ciphers strict-sni"
)
_CIPHERS: Final = ":".join(
    f"ECDHE-{cipher}"
    for cipher in (
        *("ECDSA-AES256-GCM-SHA384", "RSA-AES256-GCM-SHA384", "ECDSA-CHACHA20-POLY1305", "RSA-CHACHA20-POLY1305"),
        *("ECDSA-AES128-GCM-SHA256", "RSA-AES128-GCM-SHA256", "ECDSA-AES256-SHA384", "ECDSA-AES128-SHA256"),
    )
)
_SUITES: Final = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"


def _path(name: str) -> str:
    return f"haproxy.{name}"


def _resource(name: str, fields: Iterable[Field], *, checks: tuple[Any, ...] = ()) -> Resource:
    return Resource(
        _path(name), "haproxy/settings", name, tuple(fields), suffix=name, searches=f"search_{name}s", checks=checks
    )


def _link(name: str, to: str, *, many: bool = False, ordered: bool = False) -> Ref:
    return Ref(name, to=(_path(to),), many=many, ordered=ordered)


def _times(*names: str) -> tuple[Field, ...]:
    return tuple(Text(name, pattern=_TIME) for name in names)


def _named(pattern: str = _NAME) -> tuple[Field, ...]:
    return (
        Flag("enabled", required=True, default="1"),
        Text("name", required=True, pattern=pattern),
        Text("description", pattern=".{1,255}"),
    )


def _rates() -> tuple[Field, ...]:
    """The periods over which a stick table counts."""
    ten = ("connRate", "sessRate", "httpReqRate", "httpErrRate")
    minute = ("bytesInRate", "bytesOutRate", "gpcRate", "httpFailRate", "glitchRate")
    return (
        *(Text(f"stickiness_{name}Period", pattern=_TIME, default="10s") for name in ten),
        *(Text(f"stickiness_{name}Period", pattern=_TIME, default="1m") for name in minute),
        Whole("stickiness_gpcElements", low=0, high=99, default="0"),
        Whole("stickiness_gptElements", low=0, high=99, default="0"),
        Choice("stickiness_dataTypes", keys=_COUNTERS, many=True),
        Text("stickiness_expire", required=True, default="30m", pattern="[0-9]{1,5}(?:ms|s|m|h|d)?", lower=True),
        Text("stickiness_size", required=True, default="50k", pattern="(?:[0-9]{1,5}[kmg|])*", lower=True),
        Whole("stickiness_length", low=1, high=16_384),
    )


def _resolving() -> tuple[Field, ...]:
    return (
        _link("linkedResolver", "resolver"),
        Choice("resolverOpts", keys="allow-dup-ip ignore-weight prevent-dup-ip", many=True, ordered=True),
        Choice("resolvePrefer", keys="ipv4 ipv6"),
    )


def _basic_login() -> tuple[Field, ...]:
    return (
        Flag("basicAuthEnabled", default="0"),
        _link("basicAuthUsers", "user", many=True),
        _link("basicAuthGroups", "group", many=True),
    )


def _linked_rules() -> tuple[Field, ...]:
    return (
        Text("customOptions"),
        _link("linkedActions", "action", many=True, ordered=True),
        _link("linkedErrorfiles", "errorfile", many=True),
    )


SERVER: Final = _resource(
    "server",
    (
        ServerId("id", required=True),
        *_named(),
        Text("address", pattern=_ADDRESS),
        Whole("port", low=1, high=65_535),
        Whole("checkport", low=1, high=65_535),
        Choice("mode", keys="active backup disabled", default="active"),
        Choice("multiplexer_protocol", keys="unspecified fcgi h2 h1", default="unspecified"),
        Choice("type", keys="static template unix", required=True, default="static"),
        Text("serviceName", pattern=_ADDRESS),
        Text("number", pattern="[0-9]+(-[0-9]+)?"),
        *_resolving(),
        Flag("ssl", required=True, default="0"),
        Text("sslSNI", pattern=_NAME),
        Text("sslSNIExpr", pattern=".{1,255}"),
        Flag("sslVerify", required=True, default="1"),
        Certificate("sslCA", many=True),
        Certificate("sslCRL"),
        Certificate("sslClientCertificate"),
        Whole("maxConnections", low=0, high=10_000_000),
        Whole("weight", low=0, high=256),
        *_times("checkInterval", "checkDownInterval"),
        Text("source", pattern=_SOURCE, lower=True),
        Text("advanced"),
        _link("unix_socket", "frontend"),
    ),
)

BACKEND: Final = _resource(
    "backend",
    (
        ServerId("id"),
        *_named(),
        Choice("mode", keys="http tcp", required=True, default="http"),
        Choice("algorithm", keys="source roundrobin static-rr leastconn uri random", required=True, default="source"),
        Whole("random_draws", low=2, high=1000, required=True, default="2"),
        Choice("proxyProtocol", keys="v1 v2"),
        _link("linkedServers", "server", many=True),
        _link("linkedFcgi", "fcgi"),
        *_resolving(),
        Text("source", pattern=_SOURCE, lower=True),
        Flag("healthCheckEnabled", required=True, default="1"),
        _link("healthCheck", "healthcheck"),
        Flag("healthCheckLogStatus", default="0"),
        *_times("checkInterval", "checkDownInterval"),
        Whole("healthCheckFall", low=1, high=100),
        Whole("healthCheckRise", low=1, high=100),
        _link("linkedMailer", "mailer"),
        Choice("healthCheckProxyProto", keys="backend enable disable", default="backend"),
        Flag("http2Enabled", default="1"),
        Flag("http2Enabled_nontls", default="0"),
        Choice("ba_advertised_protocols", keys="h2 http11 http10", many=True, ordered=True, default="h2,http11"),
        Flag("forwardFor", default="0"),
        Flag("forwardedHeader", default="0"),
        Choice("forwardedHeaderParameters", keys="proto host by by_port for for_port", many=True, ordered=True),
        Choice("persistence", keys="sticktable cookie", default="sticktable"),
        Choice("persistence_cookiemode", keys="piggyback new", required=True, default="piggyback"),
        Text("persistence_cookiename", pattern=r"([0-9a-zA-Z\.,_\-:]){1,1024}", default="SRVCOOKIE"),
        Flag("persistence_stripquotes", required=True, default="1"),
        Choice(
            "stickiness_pattern",
            keys="binary cookievalue integer rdpcookie sourceipv4 sourceipv6 string",
            default="sourceipv4",
        ),
        *_rates(),
        Text("stickiness_cookiename", pattern=r"([0-9a-zA-Z\.,_\-:]){1,1024}"),
        Whole("stickiness_cookielength", low=1, high=10_000),
        *_basic_login(),
        *_times("tuning_timeoutConnect", "tuning_timeoutCheck", "tuning_timeoutServer"),
        Whole("tuning_retries", low=0, high=100),
        Text("tuning_defaultserver"),
        Flag("tuning_noport", required=True, default="0"),
        Choice("tuning_httpreuse", keys="never safe aggressive always", default="safe"),
        Flag("tuning_caching", default="0"),
        *_linked_rules(),
    ),
)

FRONTEND: Final = _resource(
    "frontend",
    (
        ServerId("id"),
        *_named(),
        Text("bind", required=True, pattern=_BIND, lower=True),
        Text("bindOptions"),
        Choice("mode", keys="http ssl tcp", required=True, default="http"),
        _link("defaultBackend", "backend"),
        Flag("ssl_enabled", required=True, default="0"),
        Certificate("ssl_certificates", many=True),
        Certificate("ssl_default_certificate"),
        Text("ssl_customOptions"),
        Flag("ssl_advancedEnabled", required=True, default="0"),
        Choice("ssl_bindOptions", keys=_BIND_OPTIONS, many=True, ordered=True, default="prefer-client-ciphers"),
        Choice("ssl_minVersion", keys=_TLS_VERSIONS, default="TLSv1.2"),
        Choice("ssl_maxVersion", keys=_TLS_VERSIONS),
        Text("ssl_cipherList", default=_CIPHERS),
        Text("ssl_cipherSuites", default=_SUITES),
        Flag("ssl_hstsEnabled", required=True, default="1"),
        Flag("ssl_hstsIncludeSubDomains", default="0"),
        Flag("ssl_hstsPreload", default="0"),
        Whole("ssl_hstsMaxAge", low=1, high=1_000_000_000, required=True, default="15768000"),
        Flag("ssl_clientAuthEnabled", default="0"),
        Choice("ssl_clientAuthVerify", keys="none optional required", default="required"),
        Certificate("ssl_clientAuthCAs", many=True),
        Certificate("ssl_clientAuthCRLs", many=True),
        *_basic_login(),
        Whole("tuning_maxConnections", low=0, high=10_000_000),
        *_times("tuning_timeoutClient", "tuning_timeoutHttpReq", "tuning_timeoutHttpKeepAlive"),
        _link("linkedCpuAffinityRules", "cpu", many=True),
        Whole("tuning_shards", low=2, high=1000),
        Flag("logging_dontLogNull", required=True, default="0"),
        Flag("logging_dontLogNormal", required=True, default="0"),
        Flag("logging_logSeparateErrors", required=True, default="0"),
        Flag("logging_detailedLog", required=True, default="0"),
        Flag("logging_socketStats", required=True, default="0"),
        Choice("stickiness_pattern", keys="binary integer ipv4 ipv6 string"),
        *_rates(),
        Flag("stickiness_counter", default="1"),
        Text("stickiness_counter_key", pattern="([0-9a-zA-Z._]){1,32}", default="src"),
        Flag("http2Enabled", default="1"),
        Flag("http2Enabled_nontls", default="0"),
        Choice("advertised_protocols", keys="h3 h2 http11 http10", many=True, ordered=True, default="h2,http11"),
        Flag("forwardFor", required=True, default="0"),
        Flag("prometheus_enabled", default="0"),
        Text("prometheus_path", pattern=".{1,2048}", default="/metrics"),
        Choice(
            "connectionBehaviour",
            keys="http-keep-alive httpclose http-server-close",
            required=True,
            default="http-keep-alive",
        ),
        *_linked_rules(),
    ),
)

HEALTHCHECK: Final = _resource(
    "healthcheck",
    (
        Text("name", required=True, pattern=_LOOSE_NAME),
        Text("description", pattern=".{1,255}"),
        Choice("type", keys="tcp http agent ldap mysql pgsql redis smtp esmtp ssl", required=True, default="http"),
        Text("interval", required=True, pattern=_TIME, default="2s"),
        Choice("ssl", keys="nopref ssl sslsni nossl", default="nopref"),
        Text("sslSNI", pattern=_NAME),
        Flag("force_ssl", default="0"),
        Whole("checkport", low=1, high=65_535),
        Choice("http_method", keys="options head get put post delete trace", default="options"),
        Text("http_uri", default="/"),
        Choice("http_version", keys="http10 http11 http2", default="http10"),
        Text("http_host", pattern=_NAME, default="localhost"),
        Flag("http_expressionEnabled", default="0"),
        Choice("http_expression", keys="status rstatus string rstring"),
        Flag("http_negate", default="0"),
        Text("http_value"),
        Flag("tcp_enabled", default="0"),
        Text("tcp_sendValue"),
        Choice("tcp_matchType", keys="string rstring binary", default="string"),
        Flag("tcp_negate", default="0"),
        Text("tcp_matchValue"),
        Whole("agent_port", low=1, high=65_535),
        Text("mysql_user", pattern=_NAME),
        Flag("mysql_post41", default="0"),
        Text("pgsql_user", pattern=_NAME),
        Text("smtp_domain", pattern=_NAME),
        Text("esmtp_domain", pattern=_NAME),
    ),
)

_EXPRESSIONS: Final = """
cust_hdr_beg cust_hdr_end cust_hdr cust_hdr_reg cust_hdr_sub hdr_beg hdr_end hdr hdr_reg hdr_sub http_auth http_method
nbsrv path_beg path_dir path_end path path_reg path_sub quic_enabled traffic_is_http traffic_is_ssl sc_bytes_in_rate
sc_bytes_out_rate sc_clr_gpc sc_clr_gpc0 sc_clr_gpc1 sc0_clr_gpc0 sc0_clr_gpc1 sc1_clr_gpc sc1_clr_gpc0 sc1_clr_gpc1
sc2_clr_gpc sc2_clr_gpc0 sc2_clr_gpc1 sc_conn_cnt sc_conn_cur sc_conn_rate sc_get_gpc sc_get_gpc0 sc_get_gpc1
sc0_get_gpc0 sc0_get_gpc1 sc1_get_gpc0 sc1_get_gpc1 sc2_get_gpc0 sc2_get_gpc1 sc_get_gpt sc_get_gpt0 sc0_get_gpt0
sc1_get_gpt0 sc2_get_gpt0 sc_glitch_cnt sc_glitch_rate sc_gpc_rate sc_gpc0_rate sc_gpc1_rate sc0_gpc0_rate sc0_gpc1_rate
sc1_gpc0_rate sc1_gpc1_rate sc2_gpc0_rate sc2_gpc1_rate sc_http_err_cnt sc_http_err_rate sc_http_fail_cnt
sc_http_fail_rate sc_http_req_cnt sc_http_req_rate sc_inc_gpc sc_inc_gpc0 sc_inc_gpc1 sc0_inc_gpc0 sc0_inc_gpc1
sc1_inc_gpc0 sc1_inc_gpc1 sc2_inc_gpc0 sc2_inc_gpc1 sc_sess_cnt sc_sess_rate src src_bytes_in_rate src_bytes_out_rate
src_clr_gpc src_clr_gpc0 src_clr_gpc1 src_conn_cnt src_conn_cur src_conn_rate src_get_gpc src_get_gpc0 src_get_gpc1
src_get_gpt src_glitch_cnt src_glitch_rate src_gpc_rate src_gpc0_rate src_gpc1_rate src_http_err_cnt src_http_err_rate
src_http_fail_cnt src_http_fail_rate src_http_req_cnt src_http_req_rate src_inc_gpc src_inc_gpc0 src_inc_gpc1
src_is_local src_kbytes_in src_kbytes_out src_port src_sess_cnt src_sess_rate ssl_c_ca_commonname ssl_c_verify_code
ssl_c_verify ssl_fc_sni ssl_fc ssl_hello_type ssl_sni_beg ssl_sni_end ssl_sni_reg ssl_sni ssl_sni_sub stopping url_param
var wait_end custom_acl
"""
_ACTIONS: Final = (
    "compression fcgi_pass_header fcgi_set_param http-after-response http-request http-response map_data_use_backend "
    "map_use_backend monitor_fail tcp-request tcp-response use_backend use_server custom"
)

ACL: Final = _resource(
    "acl",
    (
        ServerId("id"),
        Text("name", required=True, pattern=_LOOSE_NAME),
        Text("description", pattern=".{1,255}"),
        Choice("expression", keys=_EXPRESSIONS, required=True),
        Flag("negate", required=True, default="0"),
        Flag("caseSensitive", default="0"),
        *(Text(name, pattern=".{1,255}") for name in ("hdr_beg", "hdr_end", "path_beg")),
        *(Text(name, pattern=".{1,1024}") for name in ("hdr", "path")),
        *(Text(name, pattern=".{1,4096}") for name in ("src", "ssl_sni", "ssl_sni_end", "custom_acl")),
    ),
)

ACTION: Final = _resource(
    "action",
    (
        *_named(_LOOSE_NAME),
        Choice("testType", keys="if unless", required=True, default="if"),
        _link("linkedAcls", "acl", many=True),
        Choice("operator", keys="and or", default="and"),
        Choice("type", keys=_ACTIONS, required=True),
        _link("use_backend", "backend"),
        _link("use_server", "server"),
        Text("custom", pattern=".{1,4096}"),
    ),
)

OTHERS: Final = tuple(
    _resource(name, _named(_LOOSE_NAME))
    for name in ("lua", "fcgi", "errorfile", "mapfile", "cpu", "group", "user", "resolver", "mailer")
)

ALL: Final = (SERVER, BACKEND, FRONTEND, HEALTHCHECK, ACL, ACTION, *OTHERS)
