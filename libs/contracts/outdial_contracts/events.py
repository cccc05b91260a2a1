"""Types of every event, generated from schemas/ by `make contracts`. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

from outdial_contracts.base import Event

class AgentAvailability(StrEnum):
    """What a console or an ACD says of an agent; reserved and talking are the pacer's to derive."""

    UNKNOWN = "UNKNOWN"
    OFFLINE = "OFFLINE"
    PAUSED = "PAUSED"
    AVAILABLE = "AVAILABLE"
    WRAPUP = "WRAPUP"


class BlockReason(StrEnum):
    """Why a call may not be placed: the reason codes of the rule pack, then the gate's own."""

    UNKNOWN = "UNKNOWN"
    DEPENDENCY_DOWN = "DEPENDENCY_DOWN"
    INVALID_NUMBER = "INVALID_NUMBER"
    JURISDICTION_UNSUPPORTED = "JURISDICTION_UNSUPPORTED"
    TZ_UNKNOWN = "TZ_UNKNOWN"
    HOURS = "HOURS"
    DAY_BANNED = "DAY_BANNED"
    HOLIDAY = "HOLIDAY"
    STATE_OF_EMERGENCY = "STATE_OF_EMERGENCY"
    CONSENT_MISSING = "CONSENT_MISSING"
    CONSENT_WRONG_PURPOSE = "CONSENT_WRONG_PURPOSE"
    CONSENT_LEVEL = "CONSENT_LEVEL"
    CONSENT_NO_PROOF = "CONSENT_NO_PROOF"
    CONSENT_REASSIGNED = "CONSENT_REASSIGNED"
    CONSENT_REVOKED = "CONSENT_REVOKED"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    INTERNAL_DNC = "INTERNAL_DNC"
    SCRUB_MISSING = "SCRUB_MISSING"
    SCRUB_STALE = "SCRUB_STALE"
    DNC_LISTED = "DNC_LISTED"
    ATTEMPT_CAP = "ATTEMPT_CAP"
    COOLDOWN = "COOLDOWN"
    OPEN_ATTEMPT = "OPEN_ATTEMPT"
    CAMPAIGN_PAUSED = "CAMPAIGN_PAUSED"
    CAMPAIGN_STOPPED = "CAMPAIGN_STOPPED"
    GLOBAL_STOP = "GLOBAL_STOP"
    CLEARANCE_EXPIRED = "CLEARANCE_EXPIRED"
    CLEARANCE_FORGED = "CLEARANCE_FORGED"
    CLEARANCE_UNKNOWN = "CLEARANCE_UNKNOWN"
    MODE_NOT_ALLOWED = "MODE_NOT_ALLOWED"
    CLOCK_SKEW = "CLOCK_SKEW"
    OFFER_EXPIRED = "OFFER_EXPIRED"
    RESTORE_LOCK = "RESTORE_LOCK"
    APPROVERS_MISSING = "APPROVERS_MISSING"
    CALLER_ID = "CALLER_ID"


class CallMode(StrEnum):
    """How the law sees the call: a person dials it, a machine dials it for a live agent, or a recording speaks."""

    UNKNOWN = "UNKNOWN"
    LIVE_MANUAL = "LIVE_MANUAL"
    LIVE_AUTODIALED = "LIVE_AUTODIALED"
    PRERECORDED = "PRERECORDED"


class CampaignState(StrEnum):
    """Whether a campaign may dial."""

    UNKNOWN = "UNKNOWN"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"


class CloseOutcome(StrEnum):
    """How a cleared offer ended."""

    UNKNOWN = "UNKNOWN"
    REDEEMED = "REDEEMED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"


class CloseReason(StrEnum):
    """Why a cleared offer ended as it did."""

    UNKNOWN = "UNKNOWN"
    DIALLED = "DIALLED"
    RULES = "RULES"
    EXPIRED = "EXPIRED"
    POLICY = "POLICY"
    SKIPPED = "SKIPPED"
    LEAD_CANCELLED = "LEAD_CANCELLED"


class ConsentLevel(StrEnum):
    """Level of a consent: prior express, or prior express written."""

    UNKNOWN = "UNKNOWN"
    PEC = "PEC"
    PEWC = "PEWC"


class DialMode(StrEnum):
    """How the pacer paces a campaign."""

    UNKNOWN = "UNKNOWN"
    PREDICTIVE = "PREDICTIVE"
    PROGRESSIVE = "PROGRESSIVE"
    POWER = "POWER"
    PREVIEW = "PREVIEW"
    AUTO = "AUTO"


class DialRefusal(StrEnum):
    """Why a gateway did not even try to redeem a call.dial."""

    UNKNOWN = "UNKNOWN"
    CAPACITY = "CAPACITY"
    CPS = "CPS"
    POLICY = "POLICY"
    EXPIRED = "EXPIRED"
    DRAINING = "DRAINING"
    STALE_OWNER = "STALE_OWNER"
    BAD_CLEARANCE = "BAD_CLEARANCE"
    MODE = "MODE"
    NO_ROUTE = "NO_ROUTE"
    SHIFTED_CLOCK = "SHIFTED_CLOCK"


class DispositionCode(StrEnum):
    """The one outcome of an attempt."""

    UNKNOWN = "UNKNOWN"
    INTERESTED = "INTERESTED"
    NOT_INTERESTED = "NOT_INTERESTED"
    CALLBACK = "CALLBACK"
    DNC_REQUESTED = "DNC_REQUESTED"
    WRONG_NUMBER = "WRONG_NUMBER"
    CONNECTED = "CONNECTED"
    ABANDONED = "ABANDONED"
    CALLEE_HUNG_UP = "CALLEE_HUNG_UP"
    MACHINE = "MACHINE"
    FAX = "FAX"
    DEAD_AIR = "DEAD_AIR"
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    DECLINED = "DECLINED"
    NOT_IN_SERVICE = "NOT_IN_SERVICE"
    CONGESTION = "CONGESTION"
    NETWORK_FAILED = "NETWORK_FAILED"
    NOT_DIALLED = "NOT_DIALLED"


class DocumentKind(StrEnum):
    """Kind of a published document."""

    UNKNOWN = "UNKNOWN"
    ROUTE = "ROUTE"
    NUMBER_POOL = "NUMBER_POOL"


class EndClass(StrEnum):
    """Normalised class of a call's end."""

    UNKNOWN = "UNKNOWN"
    CONNECTED = "CONNECTED"
    ABANDONED = "ABANDONED"
    CALLEE_HUNG_UP = "CALLEE_HUNG_UP"
    MACHINE = "MACHINE"
    FAX = "FAX"
    DEAD_AIR = "DEAD_AIR"
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    DECLINED = "DECLINED"
    NOT_IN_SERVICE = "NOT_IN_SERVICE"
    CONGESTION = "CONGESTION"
    NETWORK_FAILED = "NETWORK_FAILED"
    CANCELLED = "CANCELLED"
    NOT_DIALLED = "NOT_DIALLED"


class Fault(StrEnum):
    """Where the fault or the choice for the end lies."""

    UNKNOWN = "UNKNOWN"
    CALLEE = "CALLEE"
    AGENT = "AGENT"
    US = "US"
    CARRIER = "CARRIER"


class JournalKind(StrEnum):
    """Kind of a pacing.journal record."""

    UNKNOWN = "UNKNOWN"
    TOOK_OVER = "TOOK_OVER"
    INPUT = "INPUT"
    DECISION = "DECISION"
    SNAPSHOT = "SNAPSHOT"


class LeadAction(StrEnum):
    """What the CRM asks for."""

    UNKNOWN = "UNKNOWN"
    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"


class LeadStatus(StrEnum):
    """Where a lead stands."""

    UNKNOWN = "UNKNOWN"
    NEW = "NEW"
    OFFERED = "OFFERED"
    ATTEMPTING = "ATTEMPTING"
    WAITING = "WAITING"
    CALLBACK = "CALLBACK"
    DONE = "DONE"
    EXHAUSTED = "EXHAUSTED"
    SUPPRESSED = "SUPPRESSED"
    BLOCKED = "BLOCKED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


class LineType(StrEnum):
    """Kind of line a number belongs to."""

    UNKNOWN = "UNKNOWN"
    MOBILE = "MOBILE"
    LANDLINE = "LANDLINE"
    VOIP = "VOIP"


class NotDialledReason(StrEnum):
    """Why a redeemed attempt surely sent no INVITE."""

    UNKNOWN = "UNKNOWN"
    GRANT_EXPIRED = "GRANT_EXPIRED"
    GATE_UNREACHABLE = "GATE_UNREACHABLE"
    SEND_FAILED = "SEND_FAILED"
    DRAINING = "DRAINING"
    CANCELLED = "CANCELLED"


class OfferReturnReason(StrEnum):
    """Why a cleared offer is given back unused."""

    UNKNOWN = "UNKNOWN"
    POLICY = "POLICY"
    SKIPPED = "SKIPPED"
    LEAD_CANCELLED = "LEAD_CANCELLED"


class ProgressStage(StrEnum):
    """Stage that a call reached."""

    UNKNOWN = "UNKNOWN"
    INVITED = "INVITED"
    ALERTING = "ALERTING"
    EARLY_MEDIA = "EARLY_MEDIA"
    VERDICT = "VERDICT"
    ASSIGNED = "ASSIGNED"
    BRIDGED = "BRIDGED"


class Purpose(StrEnum):
    """Purpose of the call, in the words of the rule pack."""

    UNKNOWN = "UNKNOWN"
    MARKETING = "MARKETING"
    COLLECTIONS = "COLLECTIONS"
    HEALTHCARE = "HEALTHCARE"
    INFORMATIONAL = "INFORMATIONAL"
    POLITICAL = "POLITICAL"
    SURVEY = "SURVEY"
    CHARITY = "CHARITY"
    EMERGENCY = "EMERGENCY"


class ReassignedReply(StrEnum):
    """What the Reassigned Numbers Database says: disconnected since the date, not, or nothing known."""

    UNKNOWN = "UNKNOWN"
    YES = "YES"
    NO = "NO"
    NO_DATA = "NO_DATA"


class RecordingRule(StrEnum):
    """What must happen before a call is recorded, by the stricter end."""

    UNKNOWN = "UNKNOWN"
    NONE = "NONE"
    ANNOUNCE = "ANNOUNCE"
    ASK = "ASK"


class RuleOutcome(StrEnum):
    """An attempt's outcome in the words of the rule pack (FORMAT.md attempts[].outcome)."""

    UNKNOWN = "UNKNOWN"
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    NOT_IN_SERVICE = "NOT_IN_SERVICE"
    NETWORK_FAILED = "NETWORK_FAILED"
    MACHINE_DETECTED = "MACHINE_DETECTED"
    ABANDONED = "ABANDONED"
    ANSWERED = "ANSWERED"
    CONVERSATION = "CONVERSATION"
    REFUSED = "REFUSED"


class Segment(StrEnum):
    """Warmth segment of a lead."""

    UNKNOWN = "UNKNOWN"
    COLD = "COLD"
    WARM = "WARM"
    CUSTOMER = "CUSTOMER"
    RENEWAL = "RENEWAL"
    COLLECTIONS = "COLLECTIONS"


class SupplyReason(StrEnum):
    """Why lead-router sent fewer offers than the pacer wants."""

    UNKNOWN = "UNKNOWN"
    SATISFIED = "SATISFIED"
    NO_LEADS = "NO_LEADS"
    NOT_DUE = "NOT_DUE"
    CAMPAIGN_PAUSED = "CAMPAIGN_PAUSED"
    CAMPAIGN_STOPPED = "CAMPAIGN_STOPPED"
    CAMPAIGN_UNKNOWN = "CAMPAIGN_UNKNOWN"


class SuppressionSource(StrEnum):
    """Who asked that a person or number is not called again."""

    UNKNOWN = "UNKNOWN"
    AGENT = "AGENT"
    KEYPRESS = "KEYPRESS"
    CRM = "CRM"
    WEB_FORM = "WEB_FORM"
    IMPORT = "IMPORT"
    COMPLAINT = "COMPLAINT"


class Transport(StrEnum):
    """SIP transport of a trunk."""

    UNKNOWN = "UNKNOWN"
    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"


class Verdict(StrEnum):
    """What answered, by detection."""

    UNKNOWN = "UNKNOWN"
    HUMAN = "HUMAN"
    MACHINE = "MACHINE"
    SCREENER = "SCREENER"
    FAX = "FAX"
    SILENCE = "SILENCE"
    UNCERTAIN = "UNCERTAIN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Postal place of the person; every part may be unknown."""

    country: str | None = None
    """ISO 3166 alpha-2."""
    region: str | None = None
    """Region without country prefix, for example FL."""
    postal_code: str | None = None
    """Postal code."""
    time_zone: str | None = None
    """IANA zone given by the CRM."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            country=record['country'],
            region=record['region'],
            postal_code=record['postal_code'],
            time_zone=record['time_zone'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'country': self.country,
            'region': self.region,
            'postal_code': self.postal_code,
            'time_zone': self.time_zone,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class CampaignDocument:
    """One immutable version of a campaign."""

    owner: str
    """Mail of who answers for it."""
    seller_id: str
    """Seller."""
    seller_name: str
    """Name told to callees."""
    seller_callback: str
    """Number of the seller, E.164."""
    purpose: Purpose
    """Purpose."""
    topic_id: str
    """The offer: seller and topic make the legal campaign."""
    mode: DialMode
    """Dialing mode."""
    kpi: str
    """Measure it is judged by."""
    rollback_trigger: str
    """Expression that stops it."""
    abandon_limit: float
    """Share of human answers that may be abandoned, 0..1."""
    max_lines_per_agent: float
    """Cap of live calls per agent."""
    small_team_below: int
    """With fewer agents predictive degrades to progressive."""
    ring_timeout_seconds: int
    """How long a phone may ring, >= 15 (47 CFR 64.1200(a)(6))."""
    clearance_ttl_seconds: int
    """Life of a clearance."""
    retry_max_per_person: int
    """Cap of attempts per person in the window."""
    retry_window_hours: int
    """The window of that cap."""
    route_id: str
    """Route document."""
    safe_harbour: str
    """Prompt file of the safe-harbour message."""
    retry_after_seconds: Mapping[str, int] = field(default_factory=dict)
    """Outcome (busy, no_answer, congestion, voicemail) -> seconds until the next try."""
    caller_ids: tuple[str, ...] = ()
    """Our numbers, E.164."""
    safe_harbour_text: str | None = None
    """What that recording says, word for word; null: published before this field was."""
    webhook_url: str | None = None
    """Where outcomes are sent."""
    webhook_secret_env: str | None = None
    """Environment variable that holds the signing secret."""
    approvers: tuple[str, ...] = ()
    """Who approved it, by name; an EMERGENCY campaign needs two distinct ones."""
    agent_region: str | None = None
    """Where the agents sit, for example US-NY or GB; null: where the seller's callback number is."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            owner=record['owner'],
            seller_id=record['seller_id'],
            seller_name=record['seller_name'],
            seller_callback=record['seller_callback'],
            purpose=Purpose(record['purpose']),
            topic_id=record['topic_id'],
            mode=DialMode(record['mode']),
            kpi=record['kpi'],
            rollback_trigger=record['rollback_trigger'],
            abandon_limit=record['abandon_limit'],
            max_lines_per_agent=record['max_lines_per_agent'],
            small_team_below=record['small_team_below'],
            ring_timeout_seconds=record['ring_timeout_seconds'],
            clearance_ttl_seconds=record['clearance_ttl_seconds'],
            retry_max_per_person=record['retry_max_per_person'],
            retry_window_hours=record['retry_window_hours'],
            route_id=record['route_id'],
            safe_harbour=record['safe_harbour'],
            retry_after_seconds=record['retry_after_seconds'],
            caller_ids=tuple(record['caller_ids']),
            safe_harbour_text=record['safe_harbour_text'],
            webhook_url=record['webhook_url'],
            webhook_secret_env=record['webhook_secret_env'],
            approvers=tuple(record['approvers']),
            agent_region=record['agent_region'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'owner': self.owner,
            'seller_id': self.seller_id,
            'seller_name': self.seller_name,
            'seller_callback': self.seller_callback,
            'purpose': self.purpose.value,
            'topic_id': self.topic_id,
            'mode': self.mode.value,
            'kpi': self.kpi,
            'rollback_trigger': self.rollback_trigger,
            'abandon_limit': self.abandon_limit,
            'max_lines_per_agent': self.max_lines_per_agent,
            'small_team_below': self.small_team_below,
            'ring_timeout_seconds': self.ring_timeout_seconds,
            'clearance_ttl_seconds': self.clearance_ttl_seconds,
            'retry_max_per_person': self.retry_max_per_person,
            'retry_window_hours': self.retry_window_hours,
            'retry_after_seconds': dict(self.retry_after_seconds),
            'caller_ids': list(self.caller_ids),
            'route_id': self.route_id,
            'safe_harbour': self.safe_harbour,
            'safe_harbour_text': self.safe_harbour_text,
            'webhook_url': self.webhook_url,
            'webhook_secret_env': self.webhook_secret_env,
            'approvers': list(self.approvers),
            'agent_region': self.agent_region,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """A consent with its proof (FORMAT.md lead.consents[])."""

    consent_id: str
    """Stable id; without one UUIDv5(lead_id, seller|purpose|level|granted_at)."""
    seller_id: str
    """Seller it was given to."""
    purpose: str
    """A purpose in lower case, or any."""
    channel: str
    """voice, sms or email."""
    level: ConsentLevel
    """Level."""
    granted_at: datetime
    """When it was given."""
    expires_at: datetime | None = None
    """When it ends by itself."""
    revoked_at: datetime | None = None
    """When it was taken back; the earliest wins."""
    source: str | None = None
    """Where it was captured."""
    captured_at: datetime | None = None
    """When the proof was captured."""
    ip: str | None = None
    """Address it came from."""
    text_sha256: str | None = None
    """Digest of the text shown."""
    signature_ref: str | None = None
    """Reference of a signature, where one was given in place of an address."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            consent_id=record['consent_id'],
            seller_id=record['seller_id'],
            purpose=record['purpose'],
            channel=record['channel'],
            level=ConsentLevel(record['level']),
            granted_at=record['granted_at'],
            expires_at=record['expires_at'],
            revoked_at=record['revoked_at'],
            source=record['source'],
            captured_at=record['captured_at'],
            ip=record['ip'],
            text_sha256=record['text_sha256'],
            signature_ref=record['signature_ref'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'consent_id': self.consent_id,
            'seller_id': self.seller_id,
            'purpose': self.purpose,
            'channel': self.channel,
            'level': self.level.value,
            'granted_at': self.granted_at,
            'expires_at': self.expires_at,
            'revoked_at': self.revoked_at,
            'source': self.source,
            'captured_at': self.captured_at,
            'ip': self.ip,
            'text_sha256': self.text_sha256,
            'signature_ref': self.signature_ref,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """Facts of the lead that every later event of the attempt copies, so that outcomes can be sliced without a join."""

    lead_id: str
    """UUIDv5(source, external id) of the lead."""
    attempt_no: int
    """How many redemptions this person's lead had before, plus one."""
    segment: Segment
    """Warmth segment."""
    score_band: str
    """Band of the lead score, for example 0.4-0.6."""
    list_source: str | None = None
    """List the lead came from."""
    arms: Mapping[str, str] = field(default_factory=dict)
    """Experiment id -> arm the lead is assigned to."""
    exposed: tuple[str, ...] = ()
    """Experiments whose varied policy was really applied."""
    region: str | None = None
    """Region added by the gate, for example US-NY."""
    local_zone: str | None = None
    """One IANA zone of the callee, added by the gate."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            lead_id=record['lead_id'],
            attempt_no=record['attempt_no'],
            segment=Segment(record['segment']),
            score_band=record['score_band'],
            list_source=record['list_source'],
            arms=record['arms'],
            exposed=tuple(record['exposed']),
            region=record['region'],
            local_zone=record['local_zone'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'lead_id': self.lead_id,
            'attempt_no': self.attempt_no,
            'segment': self.segment.value,
            'score_band': self.score_band,
            'list_source': self.list_source,
            'arms': dict(self.arms),
            'exposed': list(self.exposed),
            'region': self.region,
            'local_zone': self.local_zone,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """A number as the CRM wrote it; normalised by lead-router."""

    number: str
    """Digits in any written form."""
    default_region: str
    """ISO 3166 region for a number without +."""
    line_type: LineType
    """Kind of line."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            number=record['number'],
            default_region=record['default_region'],
            line_type=LineType(record['line_type']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'number': self.number,
            'default_region': self.default_region,
            'line_type': self.line_type.value,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ReassignedAnswer:
    """An answer of the Reassigned Numbers Database to one number and date."""

    number_key: str
    """Token of the number under the oldest key version."""
    consent_date: str
    """The date that was asked about, YYYY-MM-DD (UTC)."""
    reply: ReassignedReply
    """The answer."""
    answered_at: datetime
    """When it was given."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            number_key=record['number_key'],
            consent_date=record['consent_date'],
            reply=ReassignedReply(record['reply']),
            answered_at=record['answered_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'number_key': self.number_key,
            'consent_date': self.consent_date,
            'reply': self.reply.value,
            'answered_at': self.answered_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """An existing business relationship of the person with a seller (FORMAT.md lead.ebr[]), as the CRM knows it."""

    seller_id: str
    """Seller."""
    as_of: datetime
    """When the CRM knew it so; of several the latest is the one that holds."""
    contract_active: bool
    """Whether a contract runs."""
    last_transaction_at: datetime | None = None
    """Last purchase or payment."""
    last_inquiry_at: datetime | None = None
    """Last inquiry or application."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            seller_id=record['seller_id'],
            as_of=record['as_of'],
            contract_active=record['contract_active'],
            last_transaction_at=record['last_transaction_at'],
            last_inquiry_at=record['last_inquiry_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'seller_id': self.seller_id,
            'as_of': self.as_of,
            'contract_active': self.contract_active,
            'last_transaction_at': self.last_transaction_at,
            'last_inquiry_at': self.last_inquiry_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Trunk:
    """One way to a carrier."""

    trunk_id: str
    """Id of the trunk."""
    host: str
    """SIP host, address or name."""
    port: int
    """SIP port."""
    transport: Transport
    """Transport."""
    weight: int
    """Share of calls, relative."""
    calls_per_second: float
    """Cap of new calls per second."""
    channels: int
    """Cap of concurrent calls."""
    username: str | None = None
    """Digest user."""
    password_env: str | None = None
    """Environment variable that holds the digest password."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            trunk_id=record['trunk_id'],
            host=record['host'],
            port=record['port'],
            transport=Transport(record['transport']),
            weight=record['weight'],
            calls_per_second=record['calls_per_second'],
            channels=record['channels'],
            username=record['username'],
            password_env=record['password_env'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'trunk_id': self.trunk_id,
            'host': self.host,
            'port': self.port,
            'transport': self.transport.value,
            'username': self.username,
            'password_env': self.password_env,
            'weight': self.weight,
            'calls_per_second': self.calls_per_second,
            'channels': self.channels,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Trunks and limits behind one name."""

    route_id: str
    """Id of the route."""
    max_duration_seconds: int
    """A call is ended after so long."""
    trunks: tuple[Trunk, ...] = ()
    """Trunks in order."""
    countries: tuple[str, ...] = ()
    """Countries that may be called (toll fraud)."""
    number_classes: tuple[str, ...] = ()
    """Number classes that may be called: geographic, mobile, toll_free ..."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            route_id=record['route_id'],
            max_duration_seconds=record['max_duration_seconds'],
            trunks=tuple(Trunk.from_record(item) for item in record['trunks']),
            countries=tuple(record['countries']),
            number_classes=tuple(record['number_classes']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'route_id': self.route_id,
            'trunks': [item.to_record() for item in self.trunks],
            'countries': list(self.countries),
            'number_classes': list(self.number_classes),
            'max_duration_seconds': self.max_duration_seconds,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentLeg(Event):
    """An agent's audio leg is up or down."""

    TOPIC: ClassVar[str] = "agent.leg"

    agent_id: str
    """Agent."""
    team_id: str
    """Team."""
    leg_id: str
    """Leg."""
    gateway_id: str
    """Gateway it is on."""
    gateway_address: str
    """rpc address, host:port."""
    boot_id: str
    """Its boot."""
    up: bool
    """Up or down."""
    at: datetime
    """When; repeated every few seconds while up."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            agent_id=record['agent_id'],
            team_id=record['team_id'],
            leg_id=record['leg_id'],
            gateway_id=record['gateway_id'],
            gateway_address=record['gateway_address'],
            boot_id=record['boot_id'],
            up=record['up'],
            at=record['at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'agent_id': self.agent_id,
            'team_id': self.team_id,
            'leg_id': self.leg_id,
            'gateway_id': self.gateway_id,
            'gateway_address': self.gateway_address,
            'boot_id': self.boot_id,
            'up': self.up,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentState(Event):
    """What a console or an ACD says of an agent."""

    TOPIC: ClassVar[str] = "agent.state"

    agent_id: str
    """Agent."""
    team_id: str
    """Team."""
    availability: AgentAvailability
    """State."""
    valid_until: datetime
    """Not ready after this."""
    at: datetime
    """When."""
    reason: str | None = None
    """Reason code of a pause."""
    campaign_ids: tuple[str, ...] = ()
    """Campaigns the agent takes; empty for all of the team."""
    last_assignment_seen: str | None = None
    """Last lease the console showed."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            agent_id=record['agent_id'],
            team_id=record['team_id'],
            availability=AgentAvailability(record['availability']),
            valid_until=record['valid_until'],
            at=record['at'],
            reason=record['reason'],
            campaign_ids=tuple(record['campaign_ids']),
            last_assignment_seen=record['last_assignment_seen'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'agent_id': self.agent_id,
            'team_id': self.team_id,
            'availability': self.availability.value,
            'reason': self.reason,
            'campaign_ids': list(self.campaign_ids),
            'last_assignment_seen': self.last_assignment_seen,
            'valid_until': self.valid_until,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentWrapup(Event):
    """An agent's word on a call."""

    TOPIC: ClassVar[str] = "agent.wrapup"

    attempt_id: str
    """Attempt."""
    team_id: str
    """Team."""
    campaign_id: str
    """Campaign."""
    agent_id: str
    """Agent."""
    code: DispositionCode
    """Code."""
    at: datetime
    """When."""
    callback_at: datetime | None = None
    """When to call back."""
    suppression_id: str | None = None
    """Set when a DNC was recorded at the gate before this was acknowledged."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            agent_id=record['agent_id'],
            code=DispositionCode(record['code']),
            at=record['at'],
            callback_at=record['callback_at'],
            suppression_id=record['suppression_id'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'agent_id': self.agent_id,
            'code': self.code.value,
            'callback_at': self.callback_at,
            'suppression_id': self.suppression_id,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class CallAnswered(Event):
    """The 200 to the INVITE, once."""

    TOPIC: ClassVar[str] = "call.answered"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    leg_no: int
    """Leg."""
    gateway_id: str
    """Gateway."""
    trunk_id: str
    """Trunk."""
    answered_at: datetime
    """When."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            leg_no=record['leg_no'],
            gateway_id=record['gateway_id'],
            trunk_id=record['trunk_id'],
            answered_at=record['answered_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'leg_no': self.leg_no,
            'gateway_id': self.gateway_id,
            'trunk_id': self.trunk_id,
            'answered_at': self.answered_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class CallDial(Event):
    """The pacer tells one gateway to dial."""

    TOPIC: ClassVar[str] = "call.dial"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    gateway_id: str
    """Gateway it is for."""
    gateway_partition: int
    """Partition of call.dial that gateway reads."""
    token: str
    """Clearance."""
    mode: CallMode
    """Mode of the call."""
    dial_mode: DialMode
    """How it was paced."""
    caller_id: str
    """Number to show, E.164, ours."""
    route_id: str
    """Route."""
    person_token: str
    """Person, so that a suppression finds the ringing call."""
    callee_token: str
    """Number."""
    destination_prefix: str
    """Country and area code."""
    ring_timeout_seconds: int
    """Ring time."""
    safe_harbour: str
    """Prompt for an answer nobody takes."""
    seller_id: str
    """Seller, for an opt-out by keypress."""
    lease_id: str
    """Channel lease."""
    owner_epoch: int
    """Epoch of the deciding owner."""
    owner_address: str
    """Where Assign is asked, host:port."""
    decided_at: datetime
    """When."""
    expires_at: datetime
    """Not dialled after this."""
    agent_id: str | None = None
    """Agent reserved beforehand."""
    agent_lease_id: str | None = None
    """His lease."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            gateway_id=record['gateway_id'],
            gateway_partition=record['gateway_partition'],
            token=record['token'],
            mode=CallMode(record['mode']),
            dial_mode=DialMode(record['dial_mode']),
            caller_id=record['caller_id'],
            route_id=record['route_id'],
            person_token=record['person_token'],
            callee_token=record['callee_token'],
            destination_prefix=record['destination_prefix'],
            ring_timeout_seconds=record['ring_timeout_seconds'],
            safe_harbour=record['safe_harbour'],
            seller_id=record['seller_id'],
            lease_id=record['lease_id'],
            owner_epoch=record['owner_epoch'],
            owner_address=record['owner_address'],
            decided_at=record['decided_at'],
            expires_at=record['expires_at'],
            agent_id=record['agent_id'],
            agent_lease_id=record['agent_lease_id'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'gateway_id': self.gateway_id,
            'gateway_partition': self.gateway_partition,
            'token': self.token,
            'mode': self.mode.value,
            'dial_mode': self.dial_mode.value,
            'caller_id': self.caller_id,
            'route_id': self.route_id,
            'person_token': self.person_token,
            'callee_token': self.callee_token,
            'destination_prefix': self.destination_prefix,
            'ring_timeout_seconds': self.ring_timeout_seconds,
            'safe_harbour': self.safe_harbour,
            'seller_id': self.seller_id,
            'lease_id': self.lease_id,
            'agent_id': self.agent_id,
            'agent_lease_id': self.agent_lease_id,
            'owner_epoch': self.owner_epoch,
            'owner_address': self.owner_address,
            'decided_at': self.decided_at,
            'expires_at': self.expires_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class CallDisposition(Event):
    """The one outcome of an attempt."""

    TOPIC: ClassVar[str] = "call.disposition"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    lead_id: str
    """Lead, also in context."""
    revision: int
    """1, then up: a later fact changed it."""
    code: DispositionCode
    """Code."""
    final: bool
    """The code ends the lead."""
    reached: bool
    """Alerting or answered."""
    human_answer: bool
    """A person answered, by detection."""
    connected: bool
    """Audio reached an agent in time."""
    abandoned: bool
    """A person not bridged within 2.0 s of the greeting's end."""
    conversation: bool
    """Connect of 20 s or more."""
    right_party: bool
    """The agent spoke to the right person."""
    conversion: bool
    """The agent says so."""
    dnc: bool
    """The person asked not to be called."""
    charged: bool
    """Counts in every cap."""
    end_class: EndClass
    """Normalised class."""
    fault: Fault
    """Where the fault or the choice lies."""
    closed_by_deadline: bool
    """No call.ended came in time."""
    disposed_at: datetime
    """When."""
    person_token: str | None = None
    """Person."""
    callee_token: str | None = None
    """Number."""
    callback_at: datetime | None = None
    """When to call back."""
    rule_outcomes: tuple[RuleOutcome, ...] = ()
    """For the caps, in FORMAT.md's words."""
    sip_status: int | None = None
    """Final status."""
    q850_cause: int | None = None
    """Cause."""
    verdict: Verdict | None = None
    """What answered."""
    caller_id: str | None = None
    """Number shown."""
    route_id: str | None = None
    """Route."""
    trunk_id: str | None = None
    """Trunk."""
    gateway_id: str | None = None
    """Gateway."""
    agent_id: str | None = None
    """Agent."""
    redeemed_at: datetime | None = None
    """Redemption."""
    invited_at: datetime | None = None
    """INVITE."""
    alerting_at: datetime | None = None
    """First 18x."""
    answered_at: datetime | None = None
    """200."""
    bridged_at: datetime | None = None
    """Audio to the agent."""
    ended_at: datetime | None = None
    """End."""
    talk_seconds: float | None = None
    """Bridge to end."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            lead_id=record['lead_id'],
            revision=record['revision'],
            code=DispositionCode(record['code']),
            final=record['final'],
            reached=record['reached'],
            human_answer=record['human_answer'],
            connected=record['connected'],
            abandoned=record['abandoned'],
            conversation=record['conversation'],
            right_party=record['right_party'],
            conversion=record['conversion'],
            dnc=record['dnc'],
            charged=record['charged'],
            end_class=EndClass(record['end_class']),
            fault=Fault(record['fault']),
            closed_by_deadline=record['closed_by_deadline'],
            disposed_at=record['disposed_at'],
            person_token=record['person_token'],
            callee_token=record['callee_token'],
            callback_at=record['callback_at'],
            rule_outcomes=tuple(RuleOutcome(item) for item in record['rule_outcomes']),
            sip_status=record['sip_status'],
            q850_cause=record['q850_cause'],
            verdict=None if record['verdict'] is None else Verdict(record['verdict']),
            caller_id=record['caller_id'],
            route_id=record['route_id'],
            trunk_id=record['trunk_id'],
            gateway_id=record['gateway_id'],
            agent_id=record['agent_id'],
            redeemed_at=record['redeemed_at'],
            invited_at=record['invited_at'],
            alerting_at=record['alerting_at'],
            answered_at=record['answered_at'],
            bridged_at=record['bridged_at'],
            ended_at=record['ended_at'],
            talk_seconds=record['talk_seconds'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'lead_id': self.lead_id,
            'person_token': self.person_token,
            'callee_token': self.callee_token,
            'revision': self.revision,
            'code': self.code.value,
            'final': self.final,
            'reached': self.reached,
            'human_answer': self.human_answer,
            'connected': self.connected,
            'abandoned': self.abandoned,
            'conversation': self.conversation,
            'right_party': self.right_party,
            'conversion': self.conversion,
            'dnc': self.dnc,
            'callback_at': self.callback_at,
            'rule_outcomes': [item.value for item in self.rule_outcomes],
            'charged': self.charged,
            'end_class': self.end_class.value,
            'fault': self.fault.value,
            'sip_status': self.sip_status,
            'q850_cause': self.q850_cause,
            'verdict': None if self.verdict is None else self.verdict.value,
            'caller_id': self.caller_id,
            'route_id': self.route_id,
            'trunk_id': self.trunk_id,
            'gateway_id': self.gateway_id,
            'agent_id': self.agent_id,
            'redeemed_at': self.redeemed_at,
            'invited_at': self.invited_at,
            'alerting_at': self.alerting_at,
            'answered_at': self.answered_at,
            'bridged_at': self.bridged_at,
            'ended_at': self.ended_at,
            'talk_seconds': self.talk_seconds,
            'closed_by_deadline': self.closed_by_deadline,
            'disposed_at': self.disposed_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class CallEnded(Event):
    """A call ended, once."""

    TOPIC: ClassVar[str] = "call.ended"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    leg_no: int
    """Leg."""
    gateway_id: str
    """Gateway."""
    boot_id: str
    """Its boot."""
    lease_id: str
    """Channel lease given back."""
    dialled: bool
    """False when surely no INVITE left."""
    end_class: EndClass
    """Normalised class."""
    fault: Fault
    """Where the fault or the choice lies."""
    hung_up_by: Fault
    """Who ended it."""
    safe_harbour_played: bool
    """The message began."""
    ended_at: datetime
    """End."""
    packets_received: int
    """RTP."""
    packets_lost: int
    """RTP."""
    jitter_ms: float
    """RFC 3550."""
    not_dialled_reason: NotDialledReason | None = None
    """With dialled false."""
    sip_status: int | None = None
    """Final status."""
    q850_cause: int | None = None
    """Reason header or mapped."""
    reason_text: str | None = None
    """The carrier's words; never a number."""
    verdict: Verdict | None = None
    """What answered."""
    trunk_id: str | None = None
    """Trunk."""
    route_id: str | None = None
    """Route."""
    caller_id: str | None = None
    """Number shown."""
    agent_id: str | None = None
    """Agent who had it."""
    agent_lease_id: str | None = None
    """His lease."""
    invited_at: datetime | None = None
    """INVITE sent."""
    alerting_at: datetime | None = None
    """First 18x."""
    answered_at: datetime | None = None
    """200."""
    greeting_ended_at: datetime | None = None
    """End of the greeting."""
    bridged_at: datetime | None = None
    """Audio to the agent."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            leg_no=record['leg_no'],
            gateway_id=record['gateway_id'],
            boot_id=record['boot_id'],
            lease_id=record['lease_id'],
            dialled=record['dialled'],
            end_class=EndClass(record['end_class']),
            fault=Fault(record['fault']),
            hung_up_by=Fault(record['hung_up_by']),
            safe_harbour_played=record['safe_harbour_played'],
            ended_at=record['ended_at'],
            packets_received=record['packets_received'],
            packets_lost=record['packets_lost'],
            jitter_ms=record['jitter_ms'],
            not_dialled_reason=None if record['not_dialled_reason'] is None else NotDialledReason(record['not_dialled_reason']),
            sip_status=record['sip_status'],
            q850_cause=record['q850_cause'],
            reason_text=record['reason_text'],
            verdict=None if record['verdict'] is None else Verdict(record['verdict']),
            trunk_id=record['trunk_id'],
            route_id=record['route_id'],
            caller_id=record['caller_id'],
            agent_id=record['agent_id'],
            agent_lease_id=record['agent_lease_id'],
            invited_at=record['invited_at'],
            alerting_at=record['alerting_at'],
            answered_at=record['answered_at'],
            greeting_ended_at=record['greeting_ended_at'],
            bridged_at=record['bridged_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'leg_no': self.leg_no,
            'gateway_id': self.gateway_id,
            'boot_id': self.boot_id,
            'lease_id': self.lease_id,
            'dialled': self.dialled,
            'not_dialled_reason': None if self.not_dialled_reason is None else self.not_dialled_reason.value,
            'end_class': self.end_class.value,
            'fault': self.fault.value,
            'hung_up_by': self.hung_up_by.value,
            'sip_status': self.sip_status,
            'q850_cause': self.q850_cause,
            'reason_text': self.reason_text,
            'verdict': None if self.verdict is None else self.verdict.value,
            'trunk_id': self.trunk_id,
            'route_id': self.route_id,
            'caller_id': self.caller_id,
            'agent_id': self.agent_id,
            'agent_lease_id': self.agent_lease_id,
            'safe_harbour_played': self.safe_harbour_played,
            'invited_at': self.invited_at,
            'alerting_at': self.alerting_at,
            'answered_at': self.answered_at,
            'greeting_ended_at': self.greeting_ended_at,
            'bridged_at': self.bridged_at,
            'ended_at': self.ended_at,
            'packets_received': self.packets_received,
            'packets_lost': self.packets_lost,
            'jitter_ms': self.jitter_ms,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class CallProgress(Event):
    """A call reached a stage."""

    TOPIC: ClassVar[str] = "call.progress"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    stage: ProgressStage
    """Stage."""
    leg_no: int
    """Leg."""
    gateway_id: str
    """Gateway."""
    at: datetime
    """When."""
    sip_status: int | None = None
    """Provisional status, for alerting."""
    verdict: Verdict | None = None
    """With stage verdict."""
    confidence: float | None = None
    """0..1."""
    greeting_ended_at: datetime | None = None
    """By the gateway's clock."""
    agent_id: str | None = None
    """With assigned and bridged."""
    agent_lease_id: str | None = None
    """His lease."""
    audio_delay_ms: float | None = None
    """With bridged: verdict to first callee audio sent to the agent."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            stage=ProgressStage(record['stage']),
            leg_no=record['leg_no'],
            gateway_id=record['gateway_id'],
            at=record['at'],
            sip_status=record['sip_status'],
            verdict=None if record['verdict'] is None else Verdict(record['verdict']),
            confidence=record['confidence'],
            greeting_ended_at=record['greeting_ended_at'],
            agent_id=record['agent_id'],
            agent_lease_id=record['agent_lease_id'],
            audio_delay_ms=record['audio_delay_ms'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'stage': self.stage.value,
            'leg_no': self.leg_no,
            'gateway_id': self.gateway_id,
            'sip_status': self.sip_status,
            'verdict': None if self.verdict is None else self.verdict.value,
            'confidence': self.confidence,
            'greeting_ended_at': self.greeting_ended_at,
            'agent_id': self.agent_id,
            'agent_lease_id': self.agent_lease_id,
            'audio_delay_ms': self.audio_delay_ms,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class CampaignPublished(Event):
    """A version of a campaign, or its state."""

    TOPIC: ClassVar[str] = "campaign.published"

    campaign_id: str
    """Campaign."""
    slot: str
    """The version as text, or state."""
    version: int
    """Version; with slot state the version that runs."""
    team_id: str
    """Its team."""
    state: CampaignState
    """State; only the record with slot state says it."""
    published_at: datetime
    """When."""
    published_by: str
    """Who."""
    document: CampaignDocument | None = None
    """The document; null in slot state."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            campaign_id=record['campaign_id'],
            slot=record['slot'],
            version=record['version'],
            team_id=record['team_id'],
            state=CampaignState(record['state']),
            published_at=record['published_at'],
            published_by=record['published_by'],
            document=None if record['document'] is None else CampaignDocument.from_record(record['document']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'campaign_id': self.campaign_id,
            'slot': self.slot,
            'version': self.version,
            'team_id': self.team_id,
            'state': self.state.value,
            'document': None if self.document is None else self.document.to_record(),
            'published_at': self.published_at,
            'published_by': self.published_by,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ClearanceClosed(Event):
    """How a cleared offer ended: exactly one per cleared offer."""

    TOPIC: ClassVar[str] = "clearance.closed"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    outcome: CloseOutcome
    """Redeemed, refused or lapsed."""
    reason: CloseReason
    """Why."""
    mode: CallMode
    """Mode that was redeemed."""
    ring_timeout_seconds: int
    """Ring time that was cleared."""
    closed_at: datetime
    """When."""
    block_reasons: tuple[BlockReason, ...] = ()
    """Reasons of a refusal."""
    rule_ids: tuple[str, ...] = ()
    """Rules of a refusal."""
    next_allowed_at: datetime | None = None
    """After a refusal: when it may be tried again."""
    gateway_id: str | None = None
    """Gateway that redeemed."""
    boot_id: str | None = None
    """Its boot."""
    caller_id: str | None = None
    """Number shown."""
    route_id: str | None = None
    """Route, where known."""
    ledger_record: str | None = None
    """chain:seq of the redemption."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            outcome=CloseOutcome(record['outcome']),
            reason=CloseReason(record['reason']),
            mode=CallMode(record['mode']),
            ring_timeout_seconds=record['ring_timeout_seconds'],
            closed_at=record['closed_at'],
            block_reasons=tuple(BlockReason(item) for item in record['block_reasons']),
            rule_ids=tuple(record['rule_ids']),
            next_allowed_at=record['next_allowed_at'],
            gateway_id=record['gateway_id'],
            boot_id=record['boot_id'],
            caller_id=record['caller_id'],
            route_id=record['route_id'],
            ledger_record=record['ledger_record'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'outcome': self.outcome.value,
            'reason': self.reason.value,
            'block_reasons': [item.value for item in self.block_reasons],
            'rule_ids': list(self.rule_ids),
            'next_allowed_at': self.next_allowed_at,
            'gateway_id': self.gateway_id,
            'boot_id': self.boot_id,
            'mode': self.mode.value,
            'caller_id': self.caller_id,
            'route_id': self.route_id,
            'ring_timeout_seconds': self.ring_timeout_seconds,
            'ledger_record': self.ledger_record,
            'closed_at': self.closed_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ComplianceBlocked(Event):
    """The gate blocked an offer."""

    TOPIC: ClassVar[str] = "compliance.blocked"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    epoch: int
    """Epoch of the demand it answered."""
    rule_pack: str
    """Version of the rules."""
    blocked_at: datetime
    """When."""
    reasons: tuple[BlockReason, ...] = ()
    """Every failing reason, sorted."""
    rule_ids: tuple[str, ...] = ()
    """Every failing rule, sorted."""
    next_allowed_at: datetime | None = None
    """Earliest instant at which the frozen facts allow; null if none within 60 days."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            epoch=record['epoch'],
            rule_pack=record['rule_pack'],
            blocked_at=record['blocked_at'],
            reasons=tuple(BlockReason(item) for item in record['reasons']),
            rule_ids=tuple(record['rule_ids']),
            next_allowed_at=record['next_allowed_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'reasons': [item.value for item in self.reasons],
            'rule_ids': list(self.rule_ids),
            'next_allowed_at': self.next_allowed_at,
            'epoch': self.epoch,
            'rule_pack': self.rule_pack,
            'blocked_at': self.blocked_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ComplianceCleared(Event):
    """The gate cleared an offer; the token earns one redemption."""

    TOPIC: ClassVar[str] = "compliance.cleared"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    person_token: str
    """Person."""
    callee_token: str
    """Number."""
    country: str
    """ISO 3166 of the number."""
    number_class: str
    """geographic, mobile, toll_free ..."""
    destination_prefix: str
    """Country and area code, never more."""
    agent_guaranteed: bool
    """An agent must be reserved before dialing."""
    may_play_recording: bool
    """Whether a recorded voice may speak."""
    recording_rule: RecordingRule
    """Recording of the call."""
    rule_pack: str
    """Version of the rules."""
    tzdata: str
    """Version of the time zones."""
    score: float
    """0..1, from the lead."""
    token: str
    """JWS, alg Ed25519."""
    cleared_at: datetime
    """When."""
    expires_at: datetime
    """The token dies then."""
    allowed_modes: tuple[CallMode, ...] = ()
    """Modes that were evaluated and allowed."""
    caller_id_rule: str | None = None
    """Rule that says which of our numbers may be shown; null: none."""
    caller_id_prefixes: tuple[str, ...] = ()
    """The number shown begins with one of these, E.164; empty: any number that can be called."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            person_token=record['person_token'],
            callee_token=record['callee_token'],
            country=record['country'],
            number_class=record['number_class'],
            destination_prefix=record['destination_prefix'],
            agent_guaranteed=record['agent_guaranteed'],
            may_play_recording=record['may_play_recording'],
            recording_rule=RecordingRule(record['recording_rule']),
            rule_pack=record['rule_pack'],
            tzdata=record['tzdata'],
            score=record['score'],
            token=record['token'],
            cleared_at=record['cleared_at'],
            expires_at=record['expires_at'],
            allowed_modes=tuple(CallMode(item) for item in record['allowed_modes']),
            caller_id_rule=record['caller_id_rule'],
            caller_id_prefixes=tuple(record['caller_id_prefixes']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'person_token': self.person_token,
            'callee_token': self.callee_token,
            'country': self.country,
            'number_class': self.number_class,
            'destination_prefix': self.destination_prefix,
            'allowed_modes': [item.value for item in self.allowed_modes],
            'agent_guaranteed': self.agent_guaranteed,
            'may_play_recording': self.may_play_recording,
            'recording_rule': self.recording_rule.value,
            'rule_pack': self.rule_pack,
            'tzdata': self.tzdata,
            'score': self.score,
            'token': self.token,
            'cleared_at': self.cleared_at,
            'expires_at': self.expires_at,
            'caller_id_rule': self.caller_id_rule,
            'caller_id_prefixes': list(self.caller_id_prefixes),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ComplianceLedger(Event):
    """A signed checkpoint of a ledger chain."""

    TOPIC: ClassVar[str] = "compliance.ledger"

    chain_id: str
    """Chain: a boot id."""
    seq: int
    """Records so far."""
    head: str
    """Hash of the last record, hex."""
    root: str
    """RFC 6962 root, hex."""
    key_id: str
    """Signing key."""
    signature: str
    """JWS over chain_id, seq, head, root."""
    at: datetime
    """When."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            chain_id=record['chain_id'],
            seq=record['seq'],
            head=record['head'],
            root=record['root'],
            key_id=record['key_id'],
            signature=record['signature'],
            at=record['at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'chain_id': self.chain_id,
            'seq': self.seq,
            'head': self.head,
            'root': self.root,
            'key_id': self.key_id,
            'signature': self.signature,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectRateWindow(Event):
    """Connect rate of a campaign at one local hour of its callees in one window of time; the whole state, versioned."""

    TOPIC: ClassVar[str] = "connect-rate.window"

    slice: str
    """campaign_id/local_hour, hour as 00..23 or unknown: the record key, so that one partition has all of a slice."""
    window_id: str
    """slice/window_seconds/window_start (UTC, RFC 3339): what a reader keeps the greatest revision of."""
    campaign_id: str
    """Campaign."""
    window_seconds: int
    """300 or 3600."""
    window_start: datetime
    """Inclusive; a multiple of window_seconds since 1970 in UTC. An attempt belongs to the window of its redemption (else its INVITE, else its disposition)."""
    window_end: datetime
    """Exclusive."""
    revision: int
    """Greater with every change (not dense); the greatest is the whole state of the window and replaces all others. A revision that is repeated says the same."""
    attempts: int
    """Charged attempts: the denominator of reach rate, answer rate and connect rate."""
    reached: int
    """Of the attempts: alerting or answered."""
    human_answers: int
    """Of the attempts: a person answered, by detection."""
    connects: int
    """Of the attempts: audio reached an agent in time. The numerator of connect rate, the denominator of conversation rate."""
    conversations: int
    """Of the connects: 20 s or more."""
    provisional: int
    """Of the attempts: counted from call.ended, their disposition has not come yet."""
    local_hour: int | None = None
    """The callee's local hour when the attempt began, 0..23; null where his zone is not known."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            slice=record['slice'],
            window_id=record['window_id'],
            campaign_id=record['campaign_id'],
            window_seconds=record['window_seconds'],
            window_start=record['window_start'],
            window_end=record['window_end'],
            revision=record['revision'],
            attempts=record['attempts'],
            reached=record['reached'],
            human_answers=record['human_answers'],
            connects=record['connects'],
            conversations=record['conversations'],
            provisional=record['provisional'],
            local_hour=record['local_hour'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'slice': self.slice,
            'window_id': self.window_id,
            'campaign_id': self.campaign_id,
            'local_hour': self.local_hour,
            'window_seconds': self.window_seconds,
            'window_start': self.window_start,
            'window_end': self.window_end,
            'revision': self.revision,
            'attempts': self.attempts,
            'reached': self.reached,
            'human_answers': self.human_answers,
            'connects': self.connects,
            'conversations': self.conversations,
            'provisional': self.provisional,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class DialRefused(Event):
    """A gateway refused a call.dial before Redeem."""

    TOPIC: ClassVar[str] = "dial.refused"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    gateway_id: str
    """Gateway."""
    lease_id: str
    """Channel lease given back."""
    reason: DialRefusal
    """Why."""
    refused_at: datetime
    """When."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            gateway_id=record['gateway_id'],
            lease_id=record['lease_id'],
            reason=DialRefusal(record['reason']),
            refused_at=record['refused_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'gateway_id': self.gateway_id,
            'lease_id': self.lease_id,
            'reason': self.reason.value,
            'refused_at': self.refused_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentPublished(Event):
    """A document that campaigns refer to."""

    TOPIC: ClassVar[str] = "document.published"

    document_id: str
    """Id."""
    kind: DocumentKind
    """Kind."""
    version: int
    """Version."""
    published_at: datetime
    """When."""
    published_by: str
    """Who."""
    route: Route | None = None
    """The route, for kind ROUTE."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            document_id=record['document_id'],
            kind=DocumentKind(record['kind']),
            version=record['version'],
            published_at=record['published_at'],
            published_by=record['published_by'],
            route=None if record['route'] is None else Route.from_record(record['route']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'document_id': self.document_id,
            'kind': self.kind.value,
            'version': self.version,
            'route': None if self.route is None else self.route.to_record(),
            'published_at': self.published_at,
            'published_by': self.published_by,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayCapacity(Event):
    """What a gateway can take and what lives on it, every 2 s."""

    TOPIC: ClassVar[str] = "gateway.capacity"

    gateway_id: str
    """Gateway."""
    boot_id: str
    """Its boot."""
    partition: int
    """Its call.dial partition."""
    address: str
    """rpc address, host:port."""
    free_channels: int
    """Free channels."""
    draining: bool
    """No new calls."""
    at: datetime
    """When."""
    live_attempt_ids: tuple[str, ...] = ()
    """Attempts that live on it."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            gateway_id=record['gateway_id'],
            boot_id=record['boot_id'],
            partition=record['partition'],
            address=record['address'],
            free_channels=record['free_channels'],
            draining=record['draining'],
            at=record['at'],
            live_attempt_ids=tuple(record['live_attempt_ids']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'gateway_id': self.gateway_id,
            'boot_id': self.boot_id,
            'partition': self.partition,
            'address': self.address,
            'free_channels': self.free_channels,
            'live_attempt_ids': list(self.live_attempt_ids),
            'draining': self.draining,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadReady(Event):
    """lead-router offers a lead: may it be called, now, on this number?"""

    TOPIC: ClassVar[str] = "lead.ready"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    offer_no: int
    """Number of this offer of the lead."""
    person_id: str
    """The CRM's id of the person."""
    phone: str
    """Number, E.164."""
    person_token: str
    """Keyed token of the person."""
    callee_token: str
    """Keyed token of the number."""
    seller_id: str
    """Seller."""
    topic_id: str
    """Offer."""
    purpose: Purpose
    """Purpose."""
    agent_guaranteed: bool
    """An agent must be reserved before dialing."""
    line_type: LineType
    """Kind of line."""
    consumer: bool
    """True for a private person."""
    address: Address
    """Postal place."""
    score: float
    """0..1."""
    epoch: int
    """Epoch of the demand it answers."""
    offered_at: datetime
    """When."""
    expires_at: datetime
    """After this the offer is stale."""
    modes: tuple[CallMode, ...] = ()
    """Every mode the attempt may become."""
    consents: tuple[Consent, ...] = ()
    """Consents that came with the lead."""
    relations: tuple[Relation, ...] = ()
    """Business relationships of the person with sellers."""
    debt_id: str | None = None
    """The debt it is about; collections only."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            offer_no=record['offer_no'],
            person_id=record['person_id'],
            phone=record['phone'],
            person_token=record['person_token'],
            callee_token=record['callee_token'],
            seller_id=record['seller_id'],
            topic_id=record['topic_id'],
            purpose=Purpose(record['purpose']),
            agent_guaranteed=record['agent_guaranteed'],
            line_type=LineType(record['line_type']),
            consumer=record['consumer'],
            address=Address.from_record(record['address']),
            score=record['score'],
            epoch=record['epoch'],
            offered_at=record['offered_at'],
            expires_at=record['expires_at'],
            modes=tuple(CallMode(item) for item in record['modes']),
            consents=tuple(Consent.from_record(item) for item in record['consents']),
            relations=tuple(Relation.from_record(item) for item in record['relations']),
            debt_id=record['debt_id'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'offer_no': self.offer_no,
            'person_id': self.person_id,
            'phone': self.phone,
            'person_token': self.person_token,
            'callee_token': self.callee_token,
            'seller_id': self.seller_id,
            'topic_id': self.topic_id,
            'purpose': self.purpose.value,
            'modes': [item.value for item in self.modes],
            'agent_guaranteed': self.agent_guaranteed,
            'line_type': self.line_type.value,
            'consumer': self.consumer,
            'address': self.address.to_record(),
            'consents': [item.to_record() for item in self.consents],
            'score': self.score,
            'epoch': self.epoch,
            'offered_at': self.offered_at,
            'expires_at': self.expires_at,
            'relations': [item.to_record() for item in self.relations],
            'debt_id': self.debt_id,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadState(Event):
    """Where a lead stands, for CRMs and data teams."""

    TOPIC: ClassVar[str] = "lead.state"

    lead_id: str
    """Lead."""
    source: str
    """Who submitted it."""
    external_id: str
    """The CRM's id."""
    campaign_id: str
    """Campaign."""
    status: LeadStatus
    """Status."""
    is_final: bool
    """Nothing more will happen by itself."""
    attempts: int
    """Redemptions so far."""
    revision: int
    """Grows with every change."""
    at: datetime
    """When."""
    external_ref: str | None = None
    """The CRM's reference."""
    last_code: DispositionCode | None = None
    """Last disposition."""
    block_reasons: tuple[BlockReason, ...] = ()
    """Why it was blocked last."""
    next_due_at: datetime | None = None
    """When it is due again."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            lead_id=record['lead_id'],
            source=record['source'],
            external_id=record['external_id'],
            campaign_id=record['campaign_id'],
            status=LeadStatus(record['status']),
            is_final=record['is_final'],
            attempts=record['attempts'],
            revision=record['revision'],
            at=record['at'],
            external_ref=record['external_ref'],
            last_code=None if record['last_code'] is None else DispositionCode(record['last_code']),
            block_reasons=tuple(BlockReason(item) for item in record['block_reasons']),
            next_due_at=record['next_due_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'lead_id': self.lead_id,
            'source': self.source,
            'external_id': self.external_id,
            'external_ref': self.external_ref,
            'campaign_id': self.campaign_id,
            'status': self.status.value,
            'is_final': self.is_final,
            'attempts': self.attempts,
            'last_code': None if self.last_code is None else self.last_code.value,
            'block_reasons': [item.value for item in self.block_reasons],
            'next_due_at': self.next_due_at,
            'revision': self.revision,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadSubmitted(Event):
    """A CRM submits, replaces or cancels a lead."""

    TOPIC: ClassVar[str] = "lead.submitted"

    lead_id: str
    """UUIDv5(source, external_id)."""
    action: LeadAction
    """Submit or cancel."""
    source: str
    """Who submitted it: the CRM's name."""
    external_id: str
    """The CRM's id of the lead."""
    person_id: str
    """The CRM's id of the person."""
    campaign_id: str
    """Campaign it is for."""
    consumer: bool
    """True for a private person."""
    address: Address
    """Postal place."""
    segment: Segment
    """Warmth."""
    score: float
    """0..1."""
    submitted_at: datetime
    """When it was submitted."""
    phones: tuple[Phone, ...] = ()
    """Numbers in the order to try."""
    consents: tuple[Consent, ...] = ()
    """Consents with proof."""
    expires_at: datetime | None = None
    """After this the lead is stale."""
    external_ref: str | None = None
    """Free reference returned to the CRM."""
    email: str | None = None
    """Mail address."""
    first_name: str | None = None
    """For the screen pop."""
    language: str | None = None
    """BCP 47."""
    preferred_hours: str | None = None
    """For example 09:00-12:00."""
    list_source: str | None = None
    """List it came from."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Unknown columns, kept."""
    relations: tuple[Relation, ...] = ()
    """Business relationships of the person with sellers."""
    debt_id: str | None = None
    """The debt it is about; collections only."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            lead_id=record['lead_id'],
            action=LeadAction(record['action']),
            source=record['source'],
            external_id=record['external_id'],
            person_id=record['person_id'],
            campaign_id=record['campaign_id'],
            consumer=record['consumer'],
            address=Address.from_record(record['address']),
            segment=Segment(record['segment']),
            score=record['score'],
            submitted_at=record['submitted_at'],
            phones=tuple(Phone.from_record(item) for item in record['phones']),
            consents=tuple(Consent.from_record(item) for item in record['consents']),
            expires_at=record['expires_at'],
            external_ref=record['external_ref'],
            email=record['email'],
            first_name=record['first_name'],
            language=record['language'],
            preferred_hours=record['preferred_hours'],
            list_source=record['list_source'],
            attributes=record['attributes'],
            relations=tuple(Relation.from_record(item) for item in record['relations']),
            debt_id=record['debt_id'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'lead_id': self.lead_id,
            'action': self.action.value,
            'source': self.source,
            'external_id': self.external_id,
            'person_id': self.person_id,
            'campaign_id': self.campaign_id,
            'phones': [item.to_record() for item in self.phones],
            'consumer': self.consumer,
            'address': self.address.to_record(),
            'consents': [item.to_record() for item in self.consents],
            'segment': self.segment.value,
            'score': self.score,
            'expires_at': self.expires_at,
            'external_ref': self.external_ref,
            'email': self.email,
            'first_name': self.first_name,
            'language': self.language,
            'preferred_hours': self.preferred_hours,
            'list_source': self.list_source,
            'attributes': dict(self.attributes),
            'submitted_at': self.submitted_at,
            'relations': [item.to_record() for item in self.relations],
            'debt_id': self.debt_id,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferReturned(Event):
    """A cleared offer is given back unused."""

    TOPIC: ClassVar[str] = "offer.returned"

    attempt_id: str
    """UUIDv5(lead_id, offer_no); its 16 bytes are the trace id."""
    team_id: str
    """Team, the unit of single-writer pacing."""
    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version of its document."""
    context: Context
    """Copied from event to event."""
    reason: OfferReturnReason
    """Why."""
    returned_at: datetime
    """When."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            attempt_id=record['attempt_id'],
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            context=Context.from_record(record['context']),
            reason=OfferReturnReason(record['reason']),
            returned_at=record['returned_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'attempt_id': self.attempt_id,
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'context': self.context.to_record(),
            'reason': self.reason.value,
            'returned_at': self.returned_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PacingDemand(Event):
    """How many cleared offers the pacer has asked for since its epoch began; cumulative, so a repeat doubles nothing."""

    TOPIC: ClassVar[str] = "pacing.demand"

    campaign_id: str
    """Campaign."""
    campaign_version: int
    """Version."""
    team_id: str
    """Team."""
    epoch: int
    """Owner epoch the totals belong to."""
    wanted_total: int
    """Cleared offers wanted since the epoch began."""
    asked_at: datetime
    """When."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            campaign_id=record['campaign_id'],
            campaign_version=record['campaign_version'],
            team_id=record['team_id'],
            epoch=record['epoch'],
            wanted_total=record['wanted_total'],
            asked_at=record['asked_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'campaign_id': self.campaign_id,
            'campaign_version': self.campaign_version,
            'team_id': self.team_id,
            'epoch': self.epoch,
            'wanted_total': self.wanted_total,
            'asked_at': self.asked_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PacingJournal(Event):
    """Every input in fold order and every decision of a team's owner."""

    TOPIC: ClassVar[str] = "pacing.journal"

    team_id: str
    """Team."""
    kind: JournalKind
    """Kind."""
    epoch: int
    """Owner epoch: the offset of its took_over record; 0 in the took_over record itself."""
    fold_version: int
    """Version of the fold that wrote it."""
    owner_id: str
    """Process that wrote it."""
    payload: bytes
    """Input: its bytes as consumed; decision and snapshot: JSON."""
    at: datetime
    """The now given to the fold."""
    input_topic: str | None = None
    """Topic of an input; null for a tick or an Assign."""
    input_partition: int | None = None
    """Its partition."""
    input_offset: int | None = None
    """Its offset."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            team_id=record['team_id'],
            kind=JournalKind(record['kind']),
            epoch=record['epoch'],
            fold_version=record['fold_version'],
            owner_id=record['owner_id'],
            payload=record['payload'],
            at=record['at'],
            input_topic=record['input_topic'],
            input_partition=record['input_partition'],
            input_offset=record['input_offset'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'team_id': self.team_id,
            'kind': self.kind.value,
            'epoch': self.epoch,
            'fold_version': self.fold_version,
            'owner_id': self.owner_id,
            'input_topic': self.input_topic,
            'input_partition': self.input_partition,
            'input_offset': self.input_offset,
            'payload': self.payload,
            'at': self.at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PacingSupply(Event):
    """How many offers lead-router sent for an epoch and why no more."""

    TOPIC: ClassVar[str] = "pacing.supply"

    team_id: str
    """Team."""
    campaign_id: str
    """Campaign."""
    epoch: int
    """Epoch of the demand."""
    sent_total: int
    """Offers sent minus those blocked, since the epoch began."""
    reason: SupplyReason
    """Why it is short."""
    supplied_at: datetime
    """When."""
    next_due_at: datetime | None = None
    """When the next lead becomes due."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            team_id=record['team_id'],
            campaign_id=record['campaign_id'],
            epoch=record['epoch'],
            sent_total=record['sent_total'],
            reason=SupplyReason(record['reason']),
            supplied_at=record['supplied_at'],
            next_due_at=record['next_due_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'team_id': self.team_id,
            'campaign_id': self.campaign_id,
            'epoch': self.epoch,
            'sent_total': self.sent_total,
            'reason': self.reason.value,
            'next_due_at': self.next_due_at,
            'supplied_at': self.supplied_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ReassignedAnswered(Event):
    """Answers of the Reassigned Numbers Database that the gate holds (durable before this leaves)."""

    TOPIC: ClassVar[str] = "reassigned.answered"

    batch_id: str
    """Id of this event's share of an import."""
    answers: tuple[ReassignedAnswer, ...] = ()
    """At most 500."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            batch_id=record['batch_id'],
            answers=tuple(ReassignedAnswer.from_record(item) for item in record['answers']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'batch_id': self.batch_id,
            'answers': [item.to_record() for item in self.answers],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class StopChanged(Event):
    """The stop button, pressed or released."""

    TOPIC: ClassVar[str] = "stop.changed"

    scope: str
    """all, seller:ID, state:US-NY, route:ID."""
    stopped: bool
    """True while nothing in scope may be dialled."""
    reason: str
    """Why."""
    changed_at: datetime
    """When."""
    changed_by: str
    """Who."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            scope=record['scope'],
            stopped=record['stopped'],
            reason=record['reason'],
            changed_at=record['changed_at'],
            changed_by=record['changed_by'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'scope': self.scope,
            'stopped': self.stopped,
            'reason': self.reason,
            'changed_at': self.changed_at,
            'changed_by': self.changed_by,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class SuppressionChanged(Event):
    """A suppression is in force (durable at the gate)."""

    TOPIC: ClassVar[str] = "suppression.changed"

    suppression_id: str
    """Id of the request."""
    seller_id: str
    """Seller it binds; * for all."""
    source: SuppressionSource
    """Who asked."""
    requested_at: datetime
    """When it was asked for."""
    changed_at: datetime
    """When it came into force."""
    callee_tokens: tuple[str, ...] = ()
    """Tokens of the numbers, under every key version."""
    person_tokens: tuple[str, ...] = ()
    """Tokens of the persons, under every key version."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            suppression_id=record['suppression_id'],
            seller_id=record['seller_id'],
            source=SuppressionSource(record['source']),
            requested_at=record['requested_at'],
            changed_at=record['changed_at'],
            callee_tokens=tuple(record['callee_tokens']),
            person_tokens=tuple(record['person_tokens']),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'suppression_id': self.suppression_id,
            'seller_id': self.seller_id,
            'callee_tokens': list(self.callee_tokens),
            'person_tokens': list(self.person_tokens),
            'source': self.source.value,
            'requested_at': self.requested_at,
            'changed_at': self.changed_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class SuppressionSubmitted(Event):
    """Somebody asks that a person or a number is not called again."""

    TOPIC: ClassVar[str] = "suppression.submitted"

    suppression_id: str
    """Stable id of the request."""
    seller_id: str
    """Seller it binds; * for all."""
    requested_at: datetime
    """When it was asked for."""
    source: SuppressionSource
    """Who asked."""
    phone: str | None = None
    """Number, E.164."""
    person_id: str | None = None
    """Person."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            suppression_id=record['suppression_id'],
            seller_id=record['seller_id'],
            requested_at=record['requested_at'],
            source=SuppressionSource(record['source']),
            phone=record['phone'],
            person_id=record['person_id'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'suppression_id': self.suppression_id,
            'seller_id': self.seller_id,
            'phone': self.phone,
            'person_id': self.person_id,
            'requested_at': self.requested_at,
            'source': self.source.value,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class SuspensionChanged(Event):
    """A declared state of emergency, declared or lifted (durable at the gate before this leaves)."""

    TOPIC: ClassVar[str] = "suspension.changed"

    suspension_id: str
    """Id of the declaration."""
    region: str
    """US-NY, or a country."""
    starts_at: datetime
    """In force from then."""
    source: str
    """Where it is proclaimed, for example an executive order."""
    entered_by: str
    """Who declared it here."""
    changed_by: str
    """Who made this change."""
    changed_at: datetime
    """When; the latest is what holds."""
    ends_at: datetime | None = None
    """No longer in force from then; null while open."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            suspension_id=record['suspension_id'],
            region=record['region'],
            starts_at=record['starts_at'],
            source=record['source'],
            entered_by=record['entered_by'],
            changed_by=record['changed_by'],
            changed_at=record['changed_at'],
            ends_at=record['ends_at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'suspension_id': self.suspension_id,
            'region': self.region,
            'starts_at': self.starts_at,
            'ends_at': self.ends_at,
            'source': self.source,
            'entered_by': self.entered_by,
            'changed_by': self.changed_by,
            'changed_at': self.changed_at,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamOwner(Event):
    """Who owns a team."""

    TOPIC: ClassVar[str] = "team.owner"

    team_id: str
    """Team."""
    epoch: int
    """Epoch."""
    owner_id: str
    """Process."""
    address: str
    """rpc address, host:port."""
    at: datetime
    """When."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            team_id=record['team_id'],
            epoch=record['epoch'],
            owner_id=record['owner_id'],
            address=record['address'],
            at=record['at'],
        )

    def to_record(self) -> dict[str, Any]:
        return {
            'team_id': self.team_id,
            'epoch': self.epoch,
            'owner_id': self.owner_id,
            'address': self.address,
            'at': self.at,
        }


"""Topic -> type of its event."""
EVENTS: dict[str, type[Event]] = {
    AgentLeg.TOPIC: AgentLeg,
    AgentState.TOPIC: AgentState,
    AgentWrapup.TOPIC: AgentWrapup,
    CallAnswered.TOPIC: CallAnswered,
    CallDial.TOPIC: CallDial,
    CallDisposition.TOPIC: CallDisposition,
    CallEnded.TOPIC: CallEnded,
    CallProgress.TOPIC: CallProgress,
    CampaignPublished.TOPIC: CampaignPublished,
    ClearanceClosed.TOPIC: ClearanceClosed,
    ComplianceBlocked.TOPIC: ComplianceBlocked,
    ComplianceCleared.TOPIC: ComplianceCleared,
    ComplianceLedger.TOPIC: ComplianceLedger,
    ConnectRateWindow.TOPIC: ConnectRateWindow,
    DialRefused.TOPIC: DialRefused,
    DocumentPublished.TOPIC: DocumentPublished,
    GatewayCapacity.TOPIC: GatewayCapacity,
    LeadReady.TOPIC: LeadReady,
    LeadState.TOPIC: LeadState,
    LeadSubmitted.TOPIC: LeadSubmitted,
    OfferReturned.TOPIC: OfferReturned,
    PacingDemand.TOPIC: PacingDemand,
    PacingJournal.TOPIC: PacingJournal,
    PacingSupply.TOPIC: PacingSupply,
    ReassignedAnswered.TOPIC: ReassignedAnswered,
    StopChanged.TOPIC: StopChanged,
    SuppressionChanged.TOPIC: SuppressionChanged,
    SuppressionSubmitted.TOPIC: SuppressionSubmitted,
    SuspensionChanged.TOPIC: SuspensionChanged,
    TeamOwner.TOPIC: TeamOwner,
}
