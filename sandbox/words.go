package sandbox

// The words that generated histories are made of. Read only.
var (
	mobilePrefixes = []string{"62812", "62813", "62821", "62822", "62852", "62857", "62858", "62877", "62878", "62895", "62896"}

	firstNames = []string{
		"Agus", "Ahmad", "Aisyah", "Andi", "Anisa", "Ari", "Ayu", "Bagus", "Bambang", "Bayu", "Budi", "Citra", "Dedi", "Dewi", "Dian", "Dimas",
		"Eka", "Eko", "Endang", "Fajar", "Fitri", "Galih", "Gita", "Hana", "Hendra", "Ika", "Indah", "Intan", "Irfan", "Joko", "Kartika", "Komang",
		"Kurnia", "Lestari", "Lina", "Made", "Maya", "Mega", "Nanda", "Nia", "Novi", "Nur", "Nyoman", "Putri", "Rahmat", "Ratna", "Rina", "Rizky",
		"Sari", "Siti", "Slamet", "Sri", "Surya", "Tono", "Tri", "Umar", "Vina", "Wahyu", "Wati", "Wayan", "Yanti", "Yoga", "Yusuf", "Zahra",
	}
	lastNames = []string{
		"Anggraini", "Aritonang", "Astuti", "Firmansyah", "Ginting", "Gunawan", "Halim", "Handayani", "Hartono", "Hasibuan", "Hidayat", "Iskandar",
		"Kusuma", "Lestari", "Lubis", "Mahendra", "Maulana", "Nasution", "Nugroho", "Pangestu", "Permata", "Prasetyo", "Pratama", "Purnomo", "Rahayu",
		"Ramadhan", "Saputra", "Setiawan", "Siregar", "Sitompul", "Suharto", "Sulistyo", "Suryadi", "Susanto", "Syahputra", "Utami", "Wibowo", "Wijaya",
		"Winata", "Yulianti",
	}
	titles     = []string{"Pak", "Bu", "Mas", "Mbak", "Bang", "Kak", "Ustadz", "dr."}
	shopKinds  = []string{"Toko", "Warung", "CV", "UD", "Apotek", "Bengkel", "Katering", "Laundry", "Toko Bangunan", "Butik"}
	groupKinds = []string{"Keluarga", "Alumni SMA", "RT 05", "Arisan", "Panitia", "Kelas 6B", "Reseller", "Tim", "Pengajian", "Futsal"}
	groupNames = []string{"Besar", "2009", "Griya Asri", "Ibu-ibu", "17 Agustus", "Wali Murid", "Jawa Barat", "Gudang", "Al-Ikhlas", "Jumat Malam", "Cimahi", "Sleman"}

	sentences = []string{
		"Selamat pagi", "Siang Kak, barangnya masih ada?", "Masih ada Kak, silakan diorder", "Baik, terima kasih banyak 🙏", "Sudah saya transfer ya, mohon dicek",
		"Pesanan nomor %d sudah dikirim hari ini", "Resinya JNE nomor %d", "Ongkirnya berapa ke Bandung?", "Harganya Rp%d.000 per pcs", "Bisa kurang nggak Kak?",
		"Maaf baru balas, tadi di jalan", "Oke siap 👍", "Nanti sore saya kabari lagi", "Jangan lupa rapat jam 10 besok", "Stok tinggal %d, mau diamankan?",
		"Assalamualaikum", "Waalaikumsalam", "Sudah sampai mana?", "Macet di tol, mungkin telat %d menit", "Alamat lengkapnya boleh dikirim?",
		"Jl. Merdeka No. %d, Bandung", "Terima kasih sudah berbelanja di toko kami", "Mohon ditunggu, sedang kami proses", "Paketnya sudah diterima dengan baik, makasih Kak",
		"Besok libur ya, buka lagi Senin", "Ini warna apa saja yang ready?", "Hitam, navy, sama maroon Kak", "Kirim foto aslinya dong", "Wkwkwk iya bener",
		"Semoga lekas sembuh ya", "Selamat ulang tahun! 🎂", "Tagihan bulan ini Rp%d.500", "Jam berapa bisa ketemu?", "Habis maghrib saja", "Nomor antrean %d, silakan menunggu",
	}
)
