//! What mail programs call their folders for sent, deleted, unwanted, unfinished and archived mail,
//! by language.
//!
//! Used only if a server doesn't say what a folder's role is. Whole names, compared by [`fold`].

use crate::mail::SpecialUse;
use std::collections::HashMap;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization as _;

/// Returns the role that a folder with this name has in most mail programs.
pub(super) fn role_of(name: &str) -> Option<SpecialUse> {
    static ROLES: LazyLock<HashMap<String, SpecialUse>> = LazyLock::new(|| {
        NAMES
            .iter()
            .flat_map(|(role, names)| names.iter().map(|name| (fold(name), *role)))
            .collect()
    });
    ROLES.get(&fold(name)).copied()
}

/// Returns the name that decides between several candidates.
pub(super) fn canonical(role: SpecialUse) -> &'static str {
    match role {
        SpecialUse::All => "All Mail",
        SpecialUse::Archive => "Archive",
        SpecialUse::Drafts => "Drafts",
        SpecialUse::Flagged => "Flagged",
        SpecialUse::Important => "Important",
        SpecialUse::Junk => "Junk",
        SpecialUse::Sent => "Sent",
        SpecialUse::Trash => "Trash",
    }
}

/// Returns the names that most servers and programs give a folder with this role.
pub(super) fn common(role: SpecialUse) -> &'static [&'static str] {
    match role {
        SpecialUse::Archive => &["Archive", "Archives"],
        SpecialUse::Drafts => &["Drafts", "Draft"],
        SpecialUse::Junk => &["Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail"],
        SpecialUse::Sent => &["Sent", "Sent Items", "Sent Messages", "Sent Mail"],
        SpecialUse::Trash => &["Trash", "Deleted Items", "Deleted Messages"],
        SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important => &[],
    }
}

/// Folds a name: lower case, composed, compatibility forms unified; Turkish `İ` becomes `i`.
fn fold(name: &str) -> String {
    name.nfkc()
        .collect::<String>()
        .to_lowercase()
        .replace("i\u{307}", "i")
        .nfkc()
        .collect()
}

const NAMES: &[(SpecialUse, &[&str])] = &[
    (SpecialUse::Sent, SENT),
    (SpecialUse::Trash, TRASH),
    (SpecialUse::Junk, JUNK),
    (SpecialUse::Drafts, DRAFTS),
    (SpecialUse::Archive, ARCHIVE),
];

#[rustfmt::skip]
const SENT: &[&str] = &[
    // English
    "Sent", "Sent Items", "Sent Messages", "Sent Mail", "Sent-Mail", "Sent Mails", "Sent E-mail", "Sent Objects",
    "SentBox",
    // German, Dutch
    "Gesendet", "Gesendete Elemente", "Gesendete Objekte", "Gesendete Nachrichten", "Gesendete Mails",
    "Gesendete E-Mails", "Verzonden", "Verzonden items", "Verzonden berichten", "Verzonden e-mail",
    // Danish, Norwegian, Swedish, Finnish, Icelandic
    "Sendt", "Sendt post", "Sendte elementer", "Sendte meddelelser", "Sendte meldinger", "Sendte e-mails",
    "Sendt e-post", "Skickat", "Skickade objekt", "Skickade meddelanden", "Skickad e-post", "Lähetetyt",
    "Lähetetyt viestit", "Sent póstur", "Sendir hlutir",
    // French, Italian, Spanish, Catalan, Portuguese, Romanian
    "Envoyés", "Envoyé", "Éléments envoyés", "Messages envoyés", "Objets envoyés", "Courrier envoyé", "Inviati",
    "Inviata", "Posta inviata", "Messaggi inviati", "Elementi inviati", "Enviados", "Enviado", "Elementos enviados",
    "Mensajes enviados", "Correo enviado", "Correos enviados", "Enviats", "Elements enviats", "Itens enviados",
    "Mensagens enviadas", "E-mails enviados", "Enviadas", "Trimise", "Mesaje trimise", "Elemente trimise",
    // Polish, Czech, Slovak, Hungarian, Slovenian, Croatian
    "Wysłane", "Elementy wysłane", "Wiadomości wysłane", "Wysłano", "Odeslané", "Odeslaná pošta", "Odeslané zprávy",
    "Odeslaná", "Odoslané", "Odoslaná pošta", "Odoslané správy", "Elküldött", "Elküldött elemek", "Elküldött üzenetek",
    "Elküldött levelek", "Poslano", "Poslana pošta", "Poslana sporočila", "Poslane poruke",
    // Russian, Ukrainian, Bulgarian, Serbian
    "Отправленные", "Отправленные письма", "Отправленные сообщения", "Надіслані", "Надіслані елементи", "Відправлені",
    "Изпратени", "Изпратени елементи", "Послато",
    // Greek, Turkish, Hebrew, Arabic
    "Απεσταλμένα", "Σταλθέντα", "Σταλμένα", "Gönderilmiş", "Gönderilmiş Öğeler", "Gönderilen", "Gönderilenler",
    "Gönderilmiş Postalar", "Gönderilen Öğeler", "נשלח", "פריטים שנשלחו", "דואר שנשלח", "المرسلة", "البريد المرسل",
    "العناصر المرسلة",
    // Estonian, Latvian, Lithuanian
    "Saadetud", "Saadetud kirjad", "Nosūtītie", "Nosūtītās", "Išsiųsta", "Išsiųsti", "Išsiųsti laiškai",
    // Japanese, Chinese, Korean, Vietnamese, Thai, Indonesian
    "送信済み", "送信済みアイテム", "送信済みメール", "送信済みメッセージ", "送信済みトレイ", "已发送", "已发送邮件",
    "已发送消息", "已发邮件", "已傳送", "寄件備份", "已寄郵件", "已傳送郵件", "보낸 편지함", "보낸편지함",
    "보낸 메일함", "보낸메일함", "Đã gửi", "Thư đã gửi", "Mục đã gửi", "ส่งแล้ว", "รายการที่ส่ง", "จดหมายที่ส่ง", "Terkirim",
    "Item Terkirim", "Surat Terkirim",
];

#[rustfmt::skip]
const TRASH: &[&str] = &[
    // English
    "Trash", "Deleted", "Deleted Items", "Deleted Messages", "Deleted Mail", "Bin", "Trash Can", "Trash Bin", "Rubbish",
    // German, Dutch
    "Papierkorb", "Gelöscht", "Gelöschte Elemente", "Gelöschte Objekte", "Gelöschte Nachrichten", "Gelöschte E-Mails",
    "Prullenbak", "Prullenmand", "Verwijderd", "Verwijderde items", "Verwijderde berichten",
    // Danish, Norwegian, Swedish, Finnish, Icelandic
    "Papirkurv", "Slettet", "Slettet post", "Slettede elementer", "Slettede meddelelser", "Slettede meldinger",
    "Papirkurven", "Søppel", "Søppelbøtte", "Papperskorgen", "Papperskorg", "Borttaget", "Borttagna objekt",
    "Borttagna meddelanden", "Roskakori", "Poistetut", "Poistetut viestit", "Rusl", "Eydd atriði",
    // French, Italian, Spanish, Catalan, Portuguese, Romanian
    "Corbeille", "Éléments supprimés", "Messages supprimés", "Supprimés", "Objets supprimés", "Cestino",
    "Posta eliminata", "Elementi eliminati", "Messaggi eliminati", "Eliminati", "Papelera", "Eliminados",
    "Elementos eliminados", "Mensajes eliminados", "Papelera de reciclaje", "Paperera", "Elements suprimits", "Lixeira",
    "Lixo", "Itens excluídos", "Itens eliminados", "Mensagens excluídas", "Excluídos", "Excluídas", "Reciclagem",
    "Coș de gunoi", "Coşul de gunoi", "Coș", "Gunoi", "Elemente șterse", "Mesaje șterse",
    // Polish, Czech, Slovak, Hungarian, Slovenian, Croatian
    "Kosz", "Elementy usunięte", "Usunięte", "Wiadomości usunięte", "Koš", "Odstraněná pošta", "Odstraněné",
    "Smazané zprávy", "Odstraněné položky", "Kôš", "Odstránené", "Odstránená pošta", "Odstránené položky", "Lomtár",
    "Kuka", "Törölt", "Törölt elemek", "Törölt üzenetek", "Smeti", "Izbrisano", "Izbrisana pošta", "Smeće", "Otpad",
    "Kanta za smeće",
    // Russian, Ukrainian, Bulgarian, Serbian
    "Корзина", "Удаленные", "Удалённые", "Удаленные письма", "Кошик", "Видалені", "Видалені елементи", "Смітник",
    "Кошче",
    "Изтрити", "Изтрити елементи", "Отпад", "Смеће",
    // Greek, Turkish, Hebrew, Arabic
    "Κάδος", "Κάδος απορριμμάτων", "Διαγραμμένα", "Απορρίμματα", "Κάδος ανακύκλωσης", "Çöp", "Çöp Kutusu", "Çöp kovası",
    "Silinmiş", "Silinmiş Öğeler", "Silinen", "Silinenler", "Silinmiş Postalar", "אשפה", "פריטים שנמחקו", "המיחזור",
    "المهملات", "سلة المهملات", "العناصر المحذوفة", "المحذوفة",
    // Estonian, Latvian, Lithuanian
    "Prügi", "Prügikast", "Kustutatud", "Atkritne", "Miskaste", "Dzēstie", "Šiukšliadėžė", "Šiukšlinė", "Ištrinti",
    // Japanese, Chinese, Korean, Vietnamese, Thai, Indonesian
    "ゴミ箱", "ごみ箱", "削除済み", "削除済みアイテム", "削除済みメール", "削除済みメッセージ", "已删除", "已删除邮件", "已删除消息",
    "废件箱", "回收站", "已刪除", "刪除的郵件", "垃圾桶", "資源回收筒", "已刪除的郵件", "휴지통", "지운 편지함", "지운편지함",
    "삭제된 메시지", "Thùng rác", "Mục đã xóa", "ถังขยะ", "รายการที่ลบ", "Sampah", "Tempat Sampah", "Item Dihapus",
];

#[rustfmt::skip]
const JUNK: &[&str] = &[
    // English
    "Junk", "Spam", "Bulk", "Bulk Mail", "Junk E-Mail", "Junk Email", "Junk Mail", "Junk-E-Mail", "JunkMail",
    "Spam Mail",
    "Junkmail", "Spambox", "Suspected Spam",
    // German, Dutch
    "Spamverdacht", "Unerwünscht", "Unerwünschte Werbung", "Unerwünschte E-Mails", "Unerwünschte Nachrichten",
    "Spam-Verdacht", "Ongewenst", "Ongewenste e-mail", "Ongewenste post", "Ongewenste berichten",
    "Ongewenste reclame", "Reclame",
    // Danish, Norwegian, Swedish, Finnish, Icelandic
    "Uønsket", "Uønsket post", "Uønsket mail", "Uønsket e-mail", "Uønsket e-post", "Uønsket mappe", "Søppelpost",
    "Skräp",
    "Skräppost", "Skräppostmapp", "Roskaposti", "Roskapostit", "Roskapostikansio", "Ruslpóstur",
    // French, Italian, Spanish, Catalan, Portuguese, Romanian
    "Indésirables", "Courrier indésirable", "Courriers indésirables", "Courrier indesirable", "Messages indésirables",
    "Pourriel", "Pourriels", "Posta indesiderata", "Indesiderata", "Messaggi indesiderati", "Indesiderati",
    "Correo no deseado", "Correo basura", "No deseado", "No deseados", "Correo electrónico no deseado", "Basura",
    "Correu brossa", "Brossa", "Lixo eletrônico", "Lixo electrónico", "Lixo Eletrónico",
    "Correio eletrônico não solicitado",
    "E-mail não solicitado", "Não solicitado", "E-mailuri nedorite", "Nedorite", "Mesaje nedorite",
    // Polish, Czech, Slovak, Hungarian, Slovenian, Croatian
    "Wiadomości-śmieci", "Wiadomości śmieci", "Śmieci", "Niechciane", "Niechciana poczta", "Wiadomości niechciane",
    "Nevyžádaná pošta", "Nevyžádané", "Nevyžiadaná pošta", "Nevyžiadané", "Levélszemét", "Kéretlen",
    "Kéretlen levelek", "Kéretlen üzenetek", "Vsiljena pošta", "Neželena pošta", "Neželjena pošta", "Bezvrijedna pošta",
    // Russian, Ukrainian, Bulgarian, Serbian
    "Спам", "Нежелательная почта", "Нежелательные", "Небажана пошта", "Небажані", "Нежелана поща", "Непожељна пошта",
    "Нежељена пошта",
    // Greek, Turkish, Hebrew, Arabic
    "Ανεπιθύμητα", "Ανεπιθύμητη αλληλογραφία", "Ανεπιθύμητη", "Gereksiz", "Gereksiz E-posta", "Önemsiz",
    "Önemsiz E-posta", "İstenmeyen", "İstenmeyen Posta", "İstenmeyen E-posta", "Önemsiz Posta", "דואר זבל", "זבל",
    "ספאם",
    "البريد غير الهام", "بريد غير هام", "البريد العشوائي", "بريد مزعج", "الرسائل غير المرغوبة",
    // Estonian, Latvian, Lithuanian
    "Rämps", "Rämpspost", "Mēstules", "Surogātpasts", "Šlamštas", "Brukalas",
    // Japanese, Chinese, Korean, Vietnamese, Thai, Indonesian
    "迷惑メール", "迷惑メールフォルダ", "迷惑メッセージ", "スパム", "バルク", "垃圾邮件", "垃圾邮箱", "广告邮件", "垃圾郵件", "垃圾信件",
    "廣告信", "스팸", "스팸 메일함", "스팸메일함", "스팸함", "스팸 편지함", "정크 메일", "정크메일", "Thư rác", "Thư spam", "Email rác",
    "อีเมลขยะ", "สแปม", "จดหมายขยะ", "Surel Sampah", "Email Sampah",
];

#[rustfmt::skip]
const DRAFTS: &[&str] = &[
    // English
    "Drafts", "Draft", "Draft Messages", "Draft Items", "DraftBox",
    // German, Dutch
    "Entwurf", "Entwürfe", "Nachrichtenentwürfe", "Concepten", "Klad", "Kladjes",
    // Danish, Norwegian, Swedish, Finnish, Icelandic
    "Kladder", "Kladde", "Utkast", "Udkast", "Kladd", "Luonnokset", "Luonnos", "Drög",
    // French, Italian, Spanish, Catalan, Portuguese, Romanian
    "Brouillons", "Brouillon", "Bozze", "Bozza", "Borradores", "Borrador", "Esborranys", "Esborrany", "Rascunhos",
    "Rascunho", "Ciorne", "Ciornă", "Schițe", "Schiţe",
    // Polish, Czech, Slovak, Hungarian, Slovenian, Croatian
    "Szkice", "Robocze", "Kopie robocze", "Wersje robocze", "Koncepty", "Koncept", "Rozepsané", "Rozepsané zprávy",
    "Rozpísané", "Rozpísané správy", "Piszkozatok", "Piszkozat", "Vázlatok", "Osnutki", "Skice", "Nacrti",
    // Russian, Ukrainian, Bulgarian, Serbian
    "Черновики", "Черновик", "Чернетки", "Чернетка", "Чернови", "Недовршено", "Нацрти",
    // Greek, Turkish, Hebrew, Arabic
    "Πρόχειρα", "Πρόχειρο", "Taslaklar", "Taslak", "טיוטות", "טיוטה", "المسودات", "مسودات", "مسودة",
    // Estonian, Latvian, Lithuanian
    "Mustandid", "Melnraksti", "Juodraščiai",
    // Japanese, Chinese, Korean, Vietnamese, Thai, Indonesian
    "下書き", "下書きトレイ", "草稿", "草稿箱", "草稿夹", "草稿匣", "草稿夾", "임시 보관함", "임시보관함", "임시저장", "임시 저장함", "초안", "Thư nháp",
    "Bản nháp",
    "Nháp", "ร่างจดหมาย", "แบบร่าง", "ฉบับร่าง", "Draf", "Konsep",
];

#[rustfmt::skip]
const ARCHIVE: &[&str] = &[
    // English
    "Archive", "Archives", "Archived", "Archived Mail", "Archived Messages",
    // German, Dutch
    "Archiv", "Archivierte Nachrichten", "Archief", "Archieven",
    // Danish, Norwegian, Swedish, Finnish
    "Arkiv", "Arkiveret", "Arkiverade", "Arkivert", "Arkisto", "Arkistoidut",
    // French, Italian, Spanish, Catalan, Portuguese, Romanian
    "Archivés", "Messages archivés", "Archivio", "Archiviati", "Archivo", "Archivados", "Archivado", "Arxiu",
    "Arquivo", "Arquivo morto", "Arquivados", "Arhivă", "Arhiva",
    // Polish, Czech, Slovak, Hungarian, Slovenian
    "Archiwum", "Archiwa", "Zarchiwizowane", "Archív", "Archivum", "Archívum", "Archivált", "Arhiv",
    // Russian, Ukrainian, Bulgarian
    "Архив", "Архивы", "Архів", "Архіви", "Архива",
    // Greek, Turkish, Hebrew, Arabic
    "Αρχειοθήκη", "Arşiv", "Arşivler", "Arşivlenmiş", "ארכיון", "الأرشيف", "أرشيف",
    // Estonian, Latvian, Lithuanian
    "Arhiiv", "Arhīvs", "Archyvas",
    // Japanese, Chinese, Korean, Vietnamese, Thai, Indonesian
    "アーカイブ", "归档", "存档", "封存", "歸檔", "存檔", "보관함", "보관", "아카이브", "Lưu trữ", "ที่เก็บถาวร", "เก็บถาวร",
    "Arsip",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_many_languages() {
        use SpecialUse::{Archive, Drafts, Junk, Sent, Trash};
        for (name, role) in [
            ("Sent", Sent),
            ("SENT ITEMS", Sent),
            ("sent-mail", Sent),
            ("Gesendete Objekte", Sent),
            ("E\u{301}le\u{301}ments envoye\u{301}s", Sent),
            ("ÉLÉMENTS ENVOYÉS", Sent),
            ("Отправленные", Sent),
            ("送信済み", Sent),
            ("보낸편지함", Sent),
            ("GÖNDERİLMİŞ ÖĞELER", Sent),
            ("Papierkorb", Trash),
            ("Deleted Messages", Trash),
            ("Корзина", Trash),
            ("已删除邮件", Trash),
            ("Spamverdacht", Junk),
            ("Bulk Mail", Junk),
            ("İstenmeyen", Junk),
            ("Entwu\u{308}rfe", Drafts),
            ("ΠΡΌΧΕΙΡΑ", Drafts),
            ("Luonnokset", Drafts),
            ("archives", Archive),
            ("Archiwum", Archive),
        ] {
            assert_eq!(role_of(name), Some(role), "{name}");
        }
        for name in [
            "Sent to clients",
            "INBOX",
            "",
            "Work",
            "Junkyard",
            "Archive 2020",
        ] {
            assert_eq!(role_of(name), None, "{name}");
        }
    }

    #[test]
    fn no_name_stands_for_two_roles() {
        let mut seen = HashMap::new();
        for (role, names) in NAMES {
            assert!(names.contains(&canonical(*role)));
            for name in *names {
                let before = seen.insert(fold(name), role);
                assert!(
                    before.is_none_or(|before| before == role),
                    "{name} is {before:?} and {role:?}"
                );
            }
        }
    }
}
