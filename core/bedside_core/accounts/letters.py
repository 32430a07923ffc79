"""What is written to people about their account: invitations, resets, locks and changes of address."""

from __future__ import annotations

from collections.abc import Sequence

from bedside_core.notify.kinds import Channel, Fact, Language, NotificationKind, Part


def _mail(
    key: str,
    doc: str,
    english: tuple[str, str],
    spanish: tuple[str, str],
    *facts: Fact,
    secret: bool = False,
    of_account: bool = False,
) -> NotificationKind:
    """Return a kind that goes by mail alone, and that nobody can switch off."""
    texts = {
        language: {Part.SUBJECT: subject, Part.BODY: body}
        for language, (subject, body) in ((Language.ENGLISH, english), (Language.SPANISH, spanish))
    }
    return NotificationKind(
        key=key,
        doc=doc,
        facts=facts,
        channels=(Channel.EMAIL,),
        required=(Channel.EMAIL,),
        urgent=True,
        secret=secret,
        of_account=of_account,
        texts=texts,
    )


INVITATION = _mail(
    "core.invitation",
    "Somebody is invited to be a member of the practice (A1).",
    (
        "{{ sender }} invites you to {{ practice }}",
        "{{ sender }} invites you to join {{ practice }}. The link opens your registration; it works once, for 21 "
        "days.\n\nIf you have an account already, sign in on that page and join with it.",
    ),
    (
        "{{ sender }} le invita a {{ practice }}",
        "{{ sender }} le invita a unirse a {{ practice }}. El enlace abre su registro; sirve una vez, durante 21 "
        "días.\n\nSi ya tiene una cuenta, inicie sesión en esa página y únase con ella.",
    ),
    Fact.SENDER,
    Fact.LINK,
    secret=True,
)

FIRST_OWNER = _mail(
    "core.first_owner",
    "The operator invites the first owner of a new practice (A1).",
    (
        "{{ practice }} is ready for you",
        "{{ practice }} was set up, and you are invited to be its owner. The link opens your registration; it works "
        "once, for 21 days.\n\nIf you have an account already, sign in on that page and join with it.",
    ),
    (
        "{{ practice }} está listo para usted",
        "Se ha creado {{ practice }} y se le invita a ser su titular. El enlace abre su registro; sirve una vez, "
        "durante 21 días.\n\nSi ya tiene una cuenta, inicie sesión en esa página y únase con ella.",
    ),
    Fact.LINK,
    secret=True,
)

ANEW = _mail(
    "core.invitation_anew",
    "A member who can't get in any more is invited to register anew (A4).",
    (
        "A new way into {{ practice }}",
        "{{ sender }} invites you to choose a new password and new security questions for your account. The link "
        "works once, for 21 days.\n\nIf you did not ask for this, tell {{ sender }}; until you use the link nothing "
        "changes.",
    ),
    (
        "Un nuevo acceso a {{ practice }}",
        "{{ sender }} le invita a elegir una nueva contraseña y nuevas preguntas de seguridad para su cuenta. El "
        "enlace sirve una vez, durante 21 días.\n\nSi no lo ha pedido, avise a {{ sender }}; mientras no use el "
        "enlace no cambia nada.",
    ),
    Fact.SENDER,
    Fact.LINK,
    secret=True,
)

RESET = _mail(
    "core.password_reset",
    "Somebody has asked on the sign-in page for a new password of this account (A4).",
    (
        "Choose a new password",
        "Somebody, probably you, has asked for a new password for your account. The link works once, for one hour, "
        "and asks a security question.\n\nIf it was not you, there is nothing to do: your password stays as it is.",
    ),
    (
        "Elija una nueva contraseña",
        "Alguien, probablemente usted, ha pedido una nueva contraseña para su cuenta. El enlace sirve una vez, "
        "durante una hora, y hace una pregunta de seguridad.\n\nSi no ha sido usted, no tiene que hacer nada: su "
        "contraseña sigue siendo la misma.",
    ),
    Fact.LINK,
    secret=True,
    of_account=True,
)

PASSWORD_CHANGED = _mail(
    "core.password_changed",
    "The password of an account was set anew through a link.",
    (
        "Your password was changed",
        "The password of your account was changed on {{ time }}, and all its sign-ins were ended.\n\nIf it was not "
        "you, reset it at once on the sign-in page and tell your practice.",
    ),
    (
        "Su contraseña ha cambiado",
        "La contraseña de su cuenta se cambió el {{ time }} y se cerraron todas sus sesiones.\n\nSi no ha sido "
        "usted, restablézcala de inmediato en la página de inicio de sesión y avise a su consultorio.",
    ),
    Fact.TIME,
    of_account=True,
)

LOCKED = _mail(
    "core.account_locked",
    "An account, or one of its devices, was locked after six failed attempts in a row (A5).",
    (
        "Your account is locked for 15 minutes",
        "There were six failed attempts in a row to get into your account, so it is locked until {{ time }}. After "
        "that you can sign in as always.\n\nIf it was not you, your password was not found out; a second factor "
        "protects your account further.",
    ),
    (
        "Su cuenta está bloqueada durante 15 minutos",
        "Hubo seis intentos fallidos seguidos de entrar en su cuenta, por lo que está bloqueada hasta el "
        "{{ time }}. Después podrá iniciar sesión como siempre.\n\nSi no ha sido usted, nadie ha averiguado su "
        "contraseña; un segundo factor protege aún más su cuenta.",
    ),
    Fact.TIME,
    of_account=True,
)

FACTORS_REMOVED = _mail(
    "core.factors_removed",
    "The second factors of an account were taken away by the operator or an owner, as whoever has lost them asks for.",
    (
        "Your second factor was removed",
        "The second factor and the recovery codes of your account were removed on {{ time }}, and all its sign-ins "
        'were ended. Your password counts no more: choose a new one by "Reset Password" on the sign-in page, unless '
        "you were given one.\n\nIf you did not ask for this, tell your practice at once.",
    ),
    (
        "Se ha quitado su segundo factor",
        "El segundo factor y los códigos de recuperación de su cuenta se quitaron el {{ time }} y se cerraron todas "
        "sus sesiones. Su contraseña ya no sirve: elija una nueva con «Restablecer contraseña» en la página de inicio "
        "de sesión, salvo que le hayan dado una.\n\nSi no lo ha pedido, avise de inmediato a su consultorio.",
    ),
    Fact.TIME,
    of_account=True,
)

CONFIRM_EMAIL = _mail(
    "core.email_confirm",
    "Somebody wants this address to be the user name of their account (A8).",
    (
        "Confirm your address",
        "The link makes this address the one you sign in with. It works once, for one day.\n\nIf you did not ask for "
        "this, there is nothing to do.",
    ),
    (
        "Confirme su dirección",
        "El enlace hace que inicie sesión con esta dirección. Sirve una vez, durante un día.\n\nSi no lo ha pedido, "
        "no tiene que hacer nada.",
    ),
    Fact.LINK,
    secret=True,
    of_account=True,
)

EMAIL_CHANGED = _mail(
    "core.email_changed",
    "An account has another address now; this goes to the one before (A8).",
    (
        "Your address was changed",
        "Since {{ time }} your account is signed in to with another address, and nothing more is sent to this "
        "one.\n\nIf it was not you, tell your practice at once.",
    ),
    (
        "Su dirección ha cambiado",
        "Desde el {{ time }} se inicia sesión en su cuenta con otra dirección, y a esta ya no se envía nada.\n\nSi "
        "no ha sido usted, avise de inmediato a su consultorio.",
    ),
    Fact.TIME,
    of_account=True,
)

NOTIFICATIONS: Sequence[NotificationKind] = (
    INVITATION,
    FIRST_OWNER,
    ANEW,
    RESET,
    PASSWORD_CHANGED,
    FACTORS_REMOVED,
    LOCKED,
    CONFIRM_EMAIL,
    EMAIL_CHANGED,
)
"""Of core's notifications those about accounts."""
