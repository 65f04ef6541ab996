package wire

// A Status is the number in the first line of a response.
type Status int

// The statuses of RFC 2326 section 11 and RFC 7826 section 17.
const (
	Continue                      Status = 100
	OK                            Status = 200
	Created                       Status = 201
	LowOnStorageSpace             Status = 250
	MultipleChoices               Status = 300
	MovedPermanently              Status = 301
	MovedTemporarily              Status = 302
	SeeOther                      Status = 303
	NotModified                   Status = 304
	UseProxy                      Status = 305
	BadRequest                    Status = 400
	Unauthorized                  Status = 401
	PaymentRequired               Status = 402
	Forbidden                     Status = 403
	NotFound                      Status = 404
	MethodNotAllowed              Status = 405
	NotAcceptable                 Status = 406
	ProxyAuthenticationRequired   Status = 407
	RequestTimeout                Status = 408
	Gone                          Status = 410
	LengthRequired                Status = 411
	PreconditionFailed            Status = 412
	RequestEntityTooLarge         Status = 413
	RequestURITooLong             Status = 414
	UnsupportedMediaType          Status = 415
	ParameterNotUnderstood        Status = 451
	ConferenceNotFound            Status = 452
	NotEnoughBandwidth            Status = 453
	SessionNotFound               Status = 454
	MethodNotValidInThisState     Status = 455
	HeaderFieldNotValid           Status = 456
	InvalidRange                  Status = 457
	ParameterIsReadOnly           Status = 458
	AggregateOperationNotAllowed  Status = 459
	OnlyAggregateOperationAllowed Status = 460
	UnsupportedTransport          Status = 461
	DestinationUnreachable        Status = 462
	DestinationProhibited         Status = 463
	DataTransportNotReadyYet      Status = 464
	NotificationReasonUnknown     Status = 465
	KeyManagementError            Status = 466
	ConnectionAuthorizationNeeded Status = 470
	ConnectionCredentialsRefused  Status = 471
	SecureConnectionFailed        Status = 472
	InternalServerError           Status = 500
	NotImplemented                Status = 501
	BadGateway                    Status = 502
	ServiceUnavailable            Status = 503
	GatewayTimeout                Status = 504
	RTSPVersionNotSupported       Status = 505
	OptionNotSupported            Status = 551
	ProxyUnavailable              Status = 553
)

// KeyManagementFailure is what 463 means in RTSP 1.0 (RFC 4567 section 3.2).
const KeyManagementFailure Status = 463

// Reason is the phrase of the RFC that defines the status, "Unknown" for others.
func (s Status) Reason() string {
	phrase := ""
	switch {
	case s < 400:
		phrase = s.success()
	case s < 450:
		phrase = s.refusal()
	case s < 500:
		phrase = s.refusalOfRTSP()
	default:
		phrase = s.failure()
	}
	if phrase == "" {
		return "Unknown"
	}
	return phrase
}

func (s Status) success() string {
	switch s {
	case Continue:
		return "Continue"
	case OK:
		return "OK"
	case Created:
		return "Created"
	case LowOnStorageSpace:
		return "Low on Storage Space"
	case MultipleChoices:
		return "Multiple Choices"
	case MovedPermanently:
		return "Moved Permanently"
	case MovedTemporarily:
		return "Moved Temporarily"
	case SeeOther:
		return "See Other"
	case NotModified:
		return "Not Modified"
	case UseProxy:
		return "Use Proxy"
	}
	return ""
}

func (s Status) refusal() string {
	switch s {
	case BadRequest:
		return "Bad Request"
	case Unauthorized:
		return "Unauthorized"
	case PaymentRequired:
		return "Payment Required"
	case Forbidden:
		return "Forbidden"
	case NotFound:
		return "Not Found"
	case MethodNotAllowed:
		return "Method Not Allowed"
	case NotAcceptable:
		return "Not Acceptable"
	case ProxyAuthenticationRequired:
		return "Proxy Authentication Required"
	case RequestTimeout:
		return "Request Timeout"
	case Gone:
		return "Gone"
	case LengthRequired:
		return "Length Required"
	case PreconditionFailed:
		return "Precondition Failed"
	case RequestEntityTooLarge:
		return "Request Entity Too Large"
	case RequestURITooLong:
		return "Request-URI Too Long"
	case UnsupportedMediaType:
		return "Unsupported Media Type"
	}
	return ""
}

func (s Status) refusalOfRTSP() string {
	switch s {
	case ParameterNotUnderstood:
		return "Parameter Not Understood"
	case ConferenceNotFound:
		return "Conference Not Found"
	case NotEnoughBandwidth:
		return "Not Enough Bandwidth"
	case SessionNotFound:
		return "Session Not Found"
	case MethodNotValidInThisState:
		return "Method Not Valid in This State"
	case HeaderFieldNotValid:
		return "Header Field Not Valid for Resource"
	case InvalidRange:
		return "Invalid Range"
	case ParameterIsReadOnly:
		return "Parameter Is Read-Only"
	case AggregateOperationNotAllowed:
		return "Aggregate Operation Not Allowed"
	case OnlyAggregateOperationAllowed:
		return "Only Aggregate Operation Allowed"
	case UnsupportedTransport:
		return "Unsupported Transport"
	case DestinationUnreachable:
		return "Destination Unreachable"
	case DestinationProhibited:
		return "Destination Prohibited"
	case DataTransportNotReadyYet:
		return "Data Transport Not Ready Yet"
	case NotificationReasonUnknown:
		return "Notification Reason Unknown"
	case KeyManagementError:
		return "Key Management Error"
	case ConnectionAuthorizationNeeded:
		return "Connection Authorization Required"
	case ConnectionCredentialsRefused:
		return "Connection Credentials Not Accepted"
	case SecureConnectionFailed:
		return "Failure to Establish Secure Connection"
	}
	return ""
}

func (s Status) failure() string {
	switch s {
	case InternalServerError:
		return "Internal Server Error"
	case NotImplemented:
		return "Not Implemented"
	case BadGateway:
		return "Bad Gateway"
	case ServiceUnavailable:
		return "Service Unavailable"
	case GatewayTimeout:
		return "Gateway Timeout"
	case RTSPVersionNotSupported:
		return "RTSP Version Not Supported"
	case OptionNotSupported:
		return "Option Not Supported"
	case ProxyUnavailable:
		return "Proxy Unavailable"
	}
	return ""
}
